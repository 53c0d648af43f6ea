"""Which processes live, and who may change a tracker: files whose locks die with their process.

No clock is asked: however a process ends, the system lets go of its locks at once, and a suspended one keeps them.
"""

from __future__ import annotations

import os
import sys
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
        """Say that this process lives.

        Raises:
            OSError: The folder's files cannot be made or locked.
        """
        if self._held is None:
            make_folder(self._folder)
            handle = self._open(self.worker)
            if not _lock(handle):
                os.close(handle)
                raise OSError("a new file is locked already")
            self._held = handle

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
            path.unlink(missing_ok=True)
            return False
        finally:
            os.close(handle)

    @asynccontextmanager
    async def exclusive(self, name: str) -> AsyncGenerator[None]:
        """Hold one lock among all processes; waits until it is free."""
        self.enter()
        handle = self._open(f"lock-{name}")
        try:
            while not _lock(handle):  # noqa: ASYNC110 - another process frees it
                await anyio.sleep(_LOOK_AGAIN_SECONDS)
            yield
        finally:
            os.close(handle)

    def leave(self) -> None:
        """Let the others know at once that this process works on nothing any more."""
        if self._held is not None:
            (self._folder / self.worker).unlink(missing_ok=True)
            os.close(self._held)
            self._held = None

    def _open(self, name: str) -> int:
        return os.open(self._folder / name, os.O_RDWR | os.O_CREAT, 0o600)
