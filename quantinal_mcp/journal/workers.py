"""Which processes live, and who may change a tracker: files whose locks die with their process.

No clock is asked: however a process ends, the system lets go of its locks at once, and a suspended one keeps them.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import anyio

if sys.platform == "win32":
    import msvcrt

    def _lock(handle: int) -> bool:
        with suppress(OSError):
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
            return True
        return False
else:
    import fcntl

    def _lock(handle: int) -> bool:
        with suppress(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        return False


_LOOK_AGAIN_SECONDS = 0.02
_MOST_TRIES = 100
_LITTER_SECONDS = 86_400.0


def make_folder(folder: Path) -> None:
    """Make a folder that only its owner can enter, unless it is there; likewise those above it."""
    if not folder.exists():
        make_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


class Workers:
    """The processes that share one journal, by the files they hold locked in `folder`."""

    def __init__(self, folder: Path, worker: str) -> None:
        self._folder = folder
        self._held: int | None = None
        self.worker = worker

    def enter(self) -> None:
        """Say that this process lives, and remove what dead ones have left.

        Raises:
            OSError: The folder's files cannot be made or locked.
        """
        if self._held is not None and _is_at(self._held, self._folder / self.worker):
            return
        make_folder(self._folder)
        self._let_go()
        for _ in range(_MOST_TRIES):  # whoever removes litter may hold a file that was just made
            self._held = self._try(self.worker)
            if self._held is not None:
                break
        if self._held is None or self._try(self.worker) is not None:
            raise OSError("its file system does not lock files")
        self._tidy()

    def lives(self, worker: str) -> bool:
        """Whether that process still lives; the file of one that does not is removed."""
        if worker == self.worker:
            return True
        path = self._folder / worker
        try:
            handle = os.open(path, os.O_RDWR)
        except FileNotFoundError:
            return False
        try:
            if not _lock(handle):
                return True
            _remove(path)
            return False
        finally:
            os.close(handle)

    @asynccontextmanager
    async def exclusive(self, name: str) -> AsyncGenerator[None]:
        """Hold one lock among all processes; waits until it is free.

        Raises:
            OSError: The folder's files cannot be made or locked.
        """
        make_folder(self._folder)
        while (handle := self._try(f"lock-{name}")) is None:  # noqa: ASYNC110 - another process frees it
            await anyio.sleep(_LOOK_AGAIN_SECONDS)
        try:
            yield
        finally:
            _remove(self._folder / f"lock-{name}")
            os.close(handle)

    def close(self) -> None:
        """Let the others know at once that this process works on nothing any more."""
        if self._held is not None:
            _remove(self._folder / self.worker)
            self._let_go()

    def _try(self, name: str) -> int | None:
        """Return the file of that name, made and locked; None if somebody else has it."""
        path = self._folder / name
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            # Whoever held it may have removed it before letting go: then this lock is one that nobody else sees.
            is_mine = _lock(handle) and _is_at(handle, path)
        except BaseException:
            os.close(handle)
            raise
        if is_mine:
            return handle
        os.close(handle)
        return None

    def _let_go(self) -> None:
        if self._held is not None:
            os.close(self._held)
            self._held = None

    def _tidy(self) -> None:
        for path in self._folder.iterdir():
            with suppress(OSError):
                if abs(time.time() - path.stat().st_mtime) > _LITTER_SECONDS:
                    self.lives(path.name)


def _is_at(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def _remove(path: Path) -> None:
    # Windows removes no file that somebody has open; an empty one is left there.
    with suppress(OSError):
        path.unlink()
