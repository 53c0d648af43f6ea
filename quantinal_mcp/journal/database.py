"""A SQLite database that is opened when it is first needed, and used one transaction at a time."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import anyio
import anyio.to_thread

from quantinal_mcp.errors import Misconfigured
from quantinal_mcp.journal.migrations import STEPS, VERSION
from quantinal_mcp.journal.workers import make_folder

_BUSY_SECONDS: Final = 5.0
_APPLICATION: Final = 0x514D4350
"""QMCP: a SQLite file of another program is not one of ours."""

if TYPE_CHECKING:
    import sqlite3

Result = TypeVar("Result")

logger = logging.getLogger(__name__)


class Database:
    """The database at `path`, or in this process's memory.

    A file is used in a thread, and what is committed is synced before it counts. Memory is used where it is called:
    nothing in it can wait. `entering` is done before the file is first used. `gives_way` lets memory take the place
    of a file that cannot be written; a damaged one, or another program's, is an error all the same.
    """

    def __init__(self, path: Path | None, entering: Callable[[], None] | None, *, gives_way: bool) -> None:
        self._path = path
        self._entering = entering
        self._gives_way = gives_way
        self._connection: sqlite3.Connection | None = None
        self._turn = anyio.Lock()

    def close(self) -> None:
        """Close it; the next use opens it again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    async def write(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """Do `work` in a transaction that no other process's can come between.

        Raises:
            Misconfigured: The database cannot be used; nothing was changed.
        """
        return await self._do(work, "BEGIN IMMEDIATE")

    async def read(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """Do `work`, which only reads; raises as `write` does."""
        return await self._do(work, "BEGIN")

    async def _do(self, work: Callable[[sqlite3.Connection], Result], begin: str) -> Result:
        async with self._turn:
            if self._path is None:
                return self._transact(work, begin)
            return await anyio.to_thread.run_sync(self._transact, work, begin)

    def _transact(self, work: Callable[[sqlite3.Connection], Result], begin: str) -> Result:
        import sqlite3  # noqa: PLC0415 - a session that triggers nothing does not pay for it

        try:
            db = self._connection
            if db is None:
                db = self._connection = self._open()
            db.execute(begin)
            try:
                result = work(db)
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise
        except (sqlite3.Error, OSError) as error:
            raise unusable(self._path, error) from error
        else:
            return result

    def _open(self) -> sqlite3.Connection:
        if self._path is None:
            return self._connect(None)
        try:
            _make(self._path)
            if self._entering is not None:
                self._entering()
        except OSError as error:
            if not self._gives_way:
                raise
            logger.warning(
                "the journal at %s cannot be written (%s): it is kept in memory, and ends with this process",
                self._path,
                error.strerror or error,
            )
            return self._connect(None)
        return self._connect(self._path)

    @staticmethod
    def _connect(path: Path | None) -> sqlite3.Connection:
        import sqlite3  # noqa: PLC0415

        db = sqlite3.connect(
            ":memory:" if path is None else path,
            timeout=_BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            db.row_factory = sqlite3.Row
            _check(db)
            if path is not None:
                # Before 3.51.3 a write-ahead log that several connections share can be corrupted.
                mode = "WAL" if sqlite3.sqlite_version_info >= (3, 51, 3) else "DELETE"
                db.execute(f"PRAGMA journal_mode={mode}")
                db.execute("PRAGMA synchronous=FULL")
            _migrate(db)
        except BaseException:
            db.close()
            raise
        return db


def _number(db: sqlite3.Connection, pragma: str) -> int:
    with closing(db.execute(f"PRAGMA {pragma}")) as rows:
        return int(rows.fetchone()[0])


def _check(db: sqlite3.Connection) -> None:
    """Touch nothing that this version did not write: another program's database, or a newer version's."""
    if _number(db, "schema_version") and _number(db, "application_id") != _APPLICATION:
        raise OSError("it is another program's database")
    if _number(db, "user_version") > VERSION:
        raise OSError("a newer version of quantinal-mcp wrote it")


def _migrate(db: sqlite3.Connection) -> None:
    if _number(db, "user_version") == VERSION:
        return
    db.execute("BEGIN IMMEDIATE")
    _check(db)
    for step in STEPS[_number(db, "user_version") :]:
        for statement in filter(str.strip, step.split(";")):
            db.execute(statement)
    db.execute(f"PRAGMA application_id={_APPLICATION}")
    db.execute(f"PRAGMA user_version={VERSION}")
    db.execute("COMMIT")


def unusable(path: Path | None, error: Exception) -> Misconfigured:
    """Return the error for a journal that the system or SQLite refuses."""
    where = "in memory" if path is None else f"at {path}"
    return Misconfigured(
        f"The journal {where} cannot be used ({error}).",
        "Nothing was sent that it does not hold. Tell the user: mend it or move it away, or set QUANTINAL_STATE "
        "to another file; `quantinal-mcp check` says more.",
    )


def _make(path: Path) -> None:
    """Make an empty file that only its owner can read, in a folder likewise, unless they are there."""
    make_folder(path.parent)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError("it is not a regular file")
    finally:
        os.close(handle)
