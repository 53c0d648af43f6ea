"""The journal in SQLite: a file that all of a user's processes share, or the memory of one."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Set
from contextlib import AsyncExitStack, asynccontextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import anyio

from quantinal_mcp.journal.database import Database, unusable
from quantinal_mcp.journal.engine import Engine
from quantinal_mcp.journal.scripts import Concern, Script, select
from quantinal_mcp.journal.workers import Workers

if TYPE_CHECKING:
    import sqlite3

Result = TypeVar("Result")


class SqliteJournal(Engine):
    """A journal in the file that `place` tells, made when it is first needed; None keeps it in this process's memory.

    Who lives is told by locks, never by `now`. `gives_way` lets memory take the place of a file that cannot be written.
    """

    def __init__(
        self,
        place: Callable[[], Path | None] | None = None,
        now: Callable[[], float] = time.time,
        *,
        gives_way: bool = False,
    ) -> None:
        super().__init__(now)
        self._place = place
        self._gives_way = gives_way

    @cached_property
    def _path(self) -> Path | None:
        return self._place() if self._place is not None else None

    @cached_property
    def _workers(self) -> Workers | None:
        path = self._path
        return Workers(path.with_name(path.name + ".workers"), self.worker) if path is not None else None

    @cached_property
    def _database(self) -> Database:
        entering = self._workers.enter if self._workers is not None else None
        return Database(self._path, entering, gives_way=self._gives_way)

    @property
    def shown(self) -> str | None:
        """Its file."""
        return str(self._path) if self._path is not None else None

    async def exists(self) -> bool:
        """Whether anybody has made its file yet."""
        return self._path is not None and await anyio.Path(self._path).exists()

    def try_out(self) -> None:
        """Make it, open it, and write to it without changing anything; blocks.

        Raises:
            Unwritable: It cannot be written.
            Misconfigured: It is damaged, another program's, of a newer version of this one, or kept locked.
        """
        self._database.try_out()

    async def _write(self, script: Callable[[], Script[Result]], concern: Concern) -> Result:  # noqa: ARG002
        return await self._database.write(lambda db: _play(db, script()))  # it has the whole file alone

    async def _read(self, script: Callable[[], Script[Result]]) -> Result:
        return await self._database.read(lambda db: _play(db, script()))

    def _living(self, workers: Set[str]) -> Script[Set[str]]:
        yield from ()
        if self._workers is None:
            return {self.worker}
        return set(filter(self._workers.lives, workers))

    @asynccontextmanager
    async def _turn(self, name: str) -> AsyncGenerator[None]:
        async with AsyncExitStack() as held:
            if self._workers is not None:
                try:
                    await held.enter_async_context(self._workers.exclusive(name))
                except OSError as error:
                    if not self._gives_way:
                        raise unusable(self._path, error) from error
            yield

    async def reach(self) -> None:
        """Do what `Journal.reach` promises; a file that is not there yet is made when it is needed."""
        if self._path is None or await self.exists():
            await self._read(lambda: select("SELECT 1"))

    async def aclose(self) -> None:
        """Do what `Journal.aclose` promises."""
        self.close()

    def close(self) -> None:
        """Let go of what this process owned, and close."""
        for used in ("_workers", "_database"):  # neither is made in order to be closed
            if (kept := vars(self).get(used)) is not None:
                kept.close()


def _play(db: sqlite3.Connection, script: Script[Result]) -> Result:
    try:
        statement = next(script)
        while True:
            done = db.execute(statement.sql, statement.values)
            statement = script.send(done.rowcount if statement.changes else done.fetchall())
    except StopIteration as end:
        return end.value
