"""A PostgreSQL database, used one transaction at a time by a few connections, through a pooler or not.

Nothing outlives a transaction: no prepared statement, no setting, no lock. So a pooler may give each one another
connection of its own.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, Protocol, TypeVar, cast

import anyio
import asyncpg  # pyright: ignore[reportMissingTypeStubs]
from asyncpg import exceptions as pg  # pyright: ignore[reportMissingTypeStubs]

from quantinal_mcp.errors import Misconfigured
from quantinal_mcp.journal.address import shown
from quantinal_mcp.journal.migrations import VERSION, postgres_steps
from quantinal_mcp.journal.records import NotCovered
from quantinal_mcp.journal.scripts import Concern, Script, Statement

Result = TypeVar("Result")

SCHEMA: Final = "quantinal"
_MOST_CONNECTIONS: Final = 5
_SECONDS: Final = 3.5
"""How long a transaction may take with all its attempts: whoever triggers is to be refused within five."""
_CONNECT_SECONDS: Final = 2.0
_PAUSE_SECONDS: Final = 0.2
_HUSH_SECONDS: Final = 2.0
"""For how long all fail at once after it was not heard of: a call has several to make, and is not to wait for each."""

_BEGIN: Final = (
    f"BEGIN; SET LOCAL search_path TO {SCHEMA}; SET LOCAL statement_timeout TO '3s'; "
    "SET LOCAL idle_in_transaction_session_timeout TO '5s'; "
    # Whatever the database's habit is, what is committed has to be on disk before a trigger leaves.
    "SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'"
)
_HEAD: Final = "SELECT version, extract(epoch FROM clock_timestamp())::float8 AS now"
_LOCK: Final = "pg_advisory_xact_lock(hashtextextended(account, 1364022096))"
_OF_ACCOUNT: Final = f"{_HEAD}, {_LOCK} FROM version, (SELECT $1::text AS account) AS concerned"
_OF_INTENT: Final = f"{_HEAD}, (SELECT {_LOCK} FROM intents WHERE intent_id = $1) FROM version"  # noqa: S608
_OF_NOBODY: Final = f"{_HEAD} FROM version"
_ONE_MIGRATES: Final = "SELECT pg_advisory_xact_lock(1364022096)"


_PASSING: Final = (
    OSError,
    pg.PostgresConnectionError,
    pg.OperatorInterventionError,
    pg.InsufficientResourcesError,
    pg.TransactionRollbackError,
    pg.IdleInTransactionSessionTimeoutError,
    asyncpg.InterfaceError,  # a connection that was closed
    asyncpg.InternalClientError,  # one that was closed at this moment
)


class _Connection(Protocol):
    """What is used of a connection of asyncpg, which tells no types."""

    async def execute(self, statement: str) -> str: ...
    async def fetch(self, statement: str, *values: Any) -> list[Any]: ...
    async def fetchval(self, statement: str) -> Any: ...
    def is_closed(self) -> bool: ...
    def terminate(self) -> None: ...


class InDoubt(Misconfigured):
    """The connection broke while a transaction was committed: it may have been, or not."""


class _NotOurs(Exception):
    """A database that this version must not touch."""


_FAILURES: Final = (
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    ValueError,
    _NotOurs,
)
"""ValueError is what an address gives that is none."""


class PostgresDatabase:
    """The journal's schema in the database at `address`, made when it is first used."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._idle: list[_Connection] = []
        self._slots = anyio.Semaphore(_MOST_CONNECTIONS)
        self._is_ready = False
        self._heard_at = self._hushed_until = float("-inf")
        self._why = ""
        self._ahead = 0.0
        self.shown = shown(address)

    def now(self) -> float:
        """Return the database's time, as far as it was heard of: UTC seconds since 1970."""
        return time.time() + self._ahead

    async def play(self, script: Callable[[], Script[Result]], concern: Concern) -> Result:
        """Play a script in a transaction; it is not broken off by who leaves, but takes no more than a few seconds.

        Raises:
            InDoubt: Nobody knows whether it was committed.
            Misconfigured: The database cannot be used; nothing was changed.
        """
        played: list[Result] = []
        with anyio.CancelScope(shield=True):
            played.append(await self._play(script, concern))
        return played[0]

    async def _play(self, script: Callable[[], Script[Result]], concern: Concern) -> Result:
        began, last = anyio.current_time(), None
        if began < self._hushed_until:
            raise self._unusable()
        try:
            with anyio.fail_after(_SECONDS):
                while True:
                    try:
                        return await self._attempt(script, concern)
                    except _FAILURES as error:
                        if not self._will_pass(error):
                            raise
                        last = error
                    await anyio.sleep(_PAUSE_SECONDS)
        except _FAILURES as error:
            self._why = _why(last if isinstance(error, TimeoutError) and last is not None else error)
            if isinstance(error, OSError) and self._heard_at < began:  # others' turns may be all that took so long
                self._hushed_until = anyio.current_time() + _HUSH_SECONDS
            raise self._unusable() from None

    async def has_journal(self) -> bool:
        """Whether anybody keeps a journal there; none is made. Raises as `play` does."""
        try:
            with anyio.fail_after(_SECONDS):
                connection = await self._connect()
                try:
                    return await connection.fetchval(f"SELECT to_regclass('{SCHEMA}.version') IS NOT NULL")
                finally:
                    connection.terminate()
        except _FAILURES as error:
            self._why = _why(error)
            raise self._unusable() from None

    def close(self) -> None:
        """Let go of the connections; the next use opens others."""
        while self._idle:
            self._idle.pop().terminate()

    async def _attempt(self, script: Callable[[], Script[Result]], concern: Concern) -> Result:
        async with self._slots:
            connection = await self._connection()
            is_sound = False
            try:
                await connection.execute(_BEGIN)
                self._heard_at = anyio.current_time()
                await self._enter(connection, concern)
                try:
                    result = await _played(connection, script())
                except NotCovered:
                    await connection.execute("ROLLBACK")
                    is_sound = True
                    raise
                await self._commit(connection)
                is_sound = True
                return result
            finally:
                if is_sound:
                    self._idle.append(connection)
                else:
                    connection.terminate()

    async def _enter(self, connection: _Connection, concern: Concern) -> None:
        asked = anyio.current_time()
        if concern.account is not None:
            rows = await connection.fetch(_OF_ACCOUNT, concern.account)
        elif concern.intent_id is not None:
            rows = await connection.fetch(_OF_INTENT, concern.intent_id)
        else:
            rows = await connection.fetch(_OF_NOBODY)
        if not rows or rows[0]["version"] > VERSION:  # taken over meanwhile
            raise _NotOurs("a newer version of quantinal-mcp wrote it")
        if anyio.current_time() - asked < _PAUSE_SECONDS:
            self._ahead = rows[0]["now"] - time.time()

    async def _commit(self, connection: _Connection) -> None:
        try:
            await connection.execute("COMMIT")
        except (*_PASSING, anyio.get_cancelled_exc_class()):
            raise InDoubt(
                f"The connection to the journal in {self.shown} broke at the last moment.",
                "Nothing was sent. Call again in a minute.",
            ) from None

    async def _connection(self) -> _Connection:
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
        connection = await self._connect()
        if not self._is_ready:
            try:
                await _prepare(connection)
            except BaseException:
                connection.terminate()
                raise
            self._is_ready = True
        return connection

    async def _connect(self) -> _Connection:
        # No statement is kept: a pooler would give the next transaction a connection that has not prepared it.
        return await cast("Any", asyncpg).connect(
            self._address,
            timeout=_CONNECT_SECONDS,
            statement_cache_size=0,
            server_settings={"application_name": "quantinal-mcp"},
        )

    def _will_pass(self, error: Exception) -> bool:
        """Whether another attempt may do better; what was in doubt when it was committed never comes here."""
        if isinstance(error, pg.UndefinedTableError | pg.InvalidSchemaNameError) and self._is_ready:
            self._is_ready = False  # somebody made the database anew
            return True
        return isinstance(error, _PASSING) and not isinstance(error, pg.ClientConfigurationError)

    def _unusable(self) -> Misconfigured:
        return Misconfigured(
            f"The journal in {self.shown} cannot be used ({self._why}).",
            "Nothing was sent that it does not hold. Call again in a minute; if that does not help, tell the user: the "
            "database of QUANTINAL_STATE is to be mended, and `quantinal-mcp check` says more.",
        )


async def _played(connection: _Connection, script: Script[Result]) -> Result:
    try:
        statement = next(script)
        while True:
            statement = script.send(await _done(connection, statement))
    except StopIteration as end:
        return end.value


async def _done(connection: _Connection, statement: Statement) -> Any:
    if statement.changes:
        return len(await connection.fetch(f"{_numbered(statement.sql)} RETURNING 1", *statement.values))
    return await connection.fetch(_numbered(statement.sql), *statement.values)


@lru_cache(maxsize=64)
def _numbered(sql: str) -> str:
    """Return a statement with its question marks as PostgreSQL wants them."""
    numbers = iter(range(1, sql.count("?") + 1))
    return re.sub(r"\?", lambda _: f"${next(numbers)}", sql)


async def _prepare(connection: _Connection) -> None:
    """Make the schema, or bring it up to date; of several that start at once one does."""
    await connection.execute(_BEGIN)
    await connection.execute(_ONE_MIGRATES)
    if await connection.fetchval(f"SELECT to_regclass('{SCHEMA}.version') IS NULL"):
        if await connection.fetchval(f"SELECT to_regnamespace('{SCHEMA}') IS NULL"):
            await connection.execute(f"CREATE SCHEMA {SCHEMA}")
        await connection.execute("CREATE TABLE version (version INTEGER NOT NULL); INSERT INTO version VALUES (0)")
    version: int = await connection.fetchval("SELECT version FROM version")
    if version > VERSION:
        raise _NotOurs("a newer version of quantinal-mcp wrote it")
    if version < VERSION:
        await connection.execute(postgres_steps(version))
        await connection.execute(f"UPDATE version SET version = {VERSION}")  # noqa: S608
    await connection.execute("COMMIT")


def _why(error: Exception) -> str:
    """Return why, in words that repeat nothing of the address, in which there may be a password."""
    if isinstance(error, _NotOurs):
        return str(error)
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    if isinstance(error, asyncpg.PostgresError):
        return str(error.args[0]) if error.args else type(error).__name__
    is_cut = isinstance(error, _PASSING) and not isinstance(error, pg.ClientConfigurationError)
    return "the connection broke" if is_cut else "its address cannot be used"
