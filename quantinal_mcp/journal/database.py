"""A SQLite database that is opened when it is first needed, and used one transaction at a time."""

from __future__ import annotations

import errno
import logging
import os
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeVar

import anyio
import anyio.to_thread

from quantinal_mcp.errors import Misconfigured
from quantinal_mcp.journal.migrations import STEPS, VERSION
from quantinal_mcp.journal.workers import make_folder

_BUSY_SECONDS: Final = 5.0
_APPLICATION: Final = 0x514D4350
"""QMCP: a SQLite file of another program is not one of ours."""
_UNWRITABLE: Final = frozenset({"SQLITE_FULL", "SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM"})

if TYPE_CHECKING:
    import sqlite3

Result = TypeVar("Result")

logger = logging.getLogger(__name__)


class Unwritable(Misconfigured):
    """Nothing is wrong with the journal's file but that the system does not let it be written."""


class _NotOurs(Exception):
    """A database that this version must not touch."""


class Database:
    """The database at `path`, or in this process's memory.

    A file is used in a thread, and what is committed is synced before it counts. Memory is used where it is called:
    nothing in it can wait. `entering` is done before a file is first written. `gives_way` lets memory take the place
    of a file that cannot be written; a damaged one, or another program's, is an error all the same.
    """

    def __init__(self, path: Path | None, entering: Callable[[], None] | None, *, gives_way: bool) -> None:
        self._path = path
        self._entering = entering
        self._gives_way = gives_way
        self._connection: sqlite3.Connection | None = None
        self._opened: os.stat_result | None = None
        self._turn = anyio.Lock()

    def close(self) -> None:
        """Close it; the next use opens it again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = self._opened = None

    def try_out(self) -> None:
        """Open it, and write to it without changing anything; blocks.

        Raises:
            Unwritable, Misconfigured: It cannot be used.
        """
        self._transact(lambda db: db.execute(f"PRAGMA user_version={VERSION}"), "BEGIN IMMEDIATE")

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
            db = self._open()
            db.execute(begin)
            try:
                _check_ours(db)  # a newer version may have taken it over meanwhile
                result = work(db)
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise
        except (sqlite3.Error, OSError, _NotOurs) as error:
            if self._opened is not None:
                self.close()  # so that it is usable again as soon as somebody has mended it, or moved it away
            raise unusable(self._path, error) from error
        else:
            return result

    def _open(self) -> sqlite3.Connection:
        import sqlite3  # noqa: PLC0415

        if self._opened is not None and not self._is_still_there():
            self.close()
        if self._connection is None:
            if self._path is None:
                self._connection = _connect(":memory:")
                return self._connection
            try:
                self._connection = self._open_file(self._path)
            except (OSError, sqlite3.Error) as error:
                if not self._gives_way or not _is_unwritable(error, self._path):
                    raise
                logger.warning(
                    "the journal at %s cannot be written (%s): it is kept in memory, and ends with this process",
                    self._path,
                    _why(error),
                )
                self._connection = _connect(":memory:")
        return self._connection

    def _open_file(self, path: Path) -> sqlite3.Connection:
        _make(path)
        db = _connect(path)
        try:
            if self._entering is not None:
                self._entering()
            self._opened = path.stat()
        except BaseException:
            db.close()
            raise
        return db

    def _is_still_there(self) -> bool:
        """Whether the open file is still the journal; nobody would find what is written to one that was moved away."""
        assert self._path is not None  # noqa: S101 - only a file has been opened
        assert self._opened is not None  # noqa: S101
        try:
            return os.path.samestat(self._path.stat(), self._opened)
        except FileNotFoundError:
            return False


def _connect(place: Path | Literal[":memory:"]) -> sqlite3.Connection:
    import sqlite3  # noqa: PLC0415

    db = sqlite3.connect(place, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        db.row_factory = sqlite3.Row
        _check_ours(db)
        # A write-ahead log would sync less, but before SQLite 3.51.3 one that several connections share can be
        # corrupted, and the clients of one user bring different versions. EXTRA syncs the folder too: without it a
        # power cut can bring the rollback journal back, and undo what was committed last.
        db.execute("PRAGMA journal_mode=DELETE")
        db.execute("PRAGMA synchronous=EXTRA")
        _migrate(db)
    except BaseException:
        db.close()
        raise
    return db


def _number(db: sqlite3.Connection, pragma: str) -> int:
    with closing(db.execute(f"PRAGMA {pragma}")) as rows:
        return int(rows.fetchone()[0])


def _check_ours(db: sqlite3.Connection) -> None:
    if _number(db, "schema_version") and _number(db, "application_id") != _APPLICATION:
        raise _NotOurs("it is another program's database")
    if _number(db, "user_version") > VERSION:
        raise _NotOurs("a newer version of quantinal-mcp wrote it")


def _migrate(db: sqlite3.Connection) -> None:
    if _number(db, "user_version") == VERSION:
        return
    db.execute("BEGIN IMMEDIATE")
    _check_ours(db)
    for step in STEPS[_number(db, "user_version") :]:
        for statement in filter(str.strip, step.split(";")):
            db.execute(statement)
    db.execute(f"PRAGMA application_id={_APPLICATION}")
    db.execute(f"PRAGMA user_version={VERSION}")
    db.execute("COMMIT")


def _make(path: Path) -> None:
    """Make an empty file that only its owner can read, in a folder likewise, unless they are there.

    One that is there is not opened: closing it again would cost SQLite the locks that this process has on it.
    """
    make_folder(path.parent)
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise OSError("it is not a regular file") from None
        if not os.access(path, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES)) from None
        if not found.st_size:
            path.chmod(0o600)


def _is_unwritable(error: Exception, path: Path) -> bool:
    """Whether a file cannot be written, and none of ours is lost by that: there is no room for a new one, say."""
    if isinstance(error, OSError):
        return True
    code = getattr(error, "sqlite_errorname", "")
    return any(code.startswith(name) for name in _UNWRITABLE) and path.exists() and not path.stat().st_size


def unusable(path: Path | None, error: Exception) -> Misconfigured:
    """Return the error for a journal that the system or SQLite refuses."""
    where = "in memory" if path is None else f"at {path}"
    if getattr(error, "sqlite_errorname", "").startswith("SQLITE_BUSY"):
        return Misconfigured(
            f"The journal {where} is kept locked by another process.",
            "Nothing was changed. Call again; if that does not help, tell the user to end the process that hangs: the "
            "server of another of their clients.",
        )
    is_unwritable = path is not None and _is_unwritable(error, path)
    return (Unwritable if is_unwritable else Misconfigured)(
        f"The journal {where} cannot be used ({_why(error)}).",
        "Nothing was sent that it does not hold. Tell the user: mend it or move it away, or set QUANTINAL_STATE "
        "to another file; `quantinal-mcp check` says more.",
    )


def _why(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
