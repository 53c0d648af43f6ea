"""The journal in PostgreSQL, for replicas on several machines: who lives is told by leases on the database's clock."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncGenerator, Callable, Collection, Set
from contextlib import asynccontextmanager, suppress
from typing import Final, TypeVar

import anyio

from quantinal_mcp.errors import Misconfigured
from quantinal_mcp.journal.engine import WITHOUT_RUN, Engine
from quantinal_mcp.journal.postgres_database import InDoubt, PostgresDatabase
from quantinal_mcp.journal.records import LEASE_SECONDS, Allowance, Intent, new_id
from quantinal_mcp.journal.scripts import Concern, Script, change, select

Result = TypeVar("Result")

logger = logging.getLogger(__name__)

_RENEW_SECONDS: Final = LEASE_SECONDS / 4
_LOOK_AGAIN_SECONDS: Final = 0.05
_KEY_BYTES: Final = 32
_LITTER_SECONDS: Final = 3600.0

_FROM_NOW: Final = "clock_timestamp() + make_interval(secs => ?)"
_ENTER: Final = (
    f"INSERT INTO workers (expires_at, worker) VALUES ({_FROM_NOW}, ?) "  # noqa: S608
    "ON CONFLICT (worker) DO UPDATE SET expires_at = excluded.expires_at"
)
_RENEW: Final = f"UPDATE workers SET expires_at = {_FROM_NOW} WHERE worker = ?"  # noqa: S608
_NEVER_SENT: Final = f"UPDATE intents SET state = 'refused', owner = NULL, {WITHOUT_RUN} WHERE intent_id = ANY(?)"  # noqa: S608


class PostgresJournal(Engine):
    """A journal in the database at `address` (asyncio only).

    A process lives while its row in `workers` has not expired; it renews it as long as its event loop turns. Once
    another one has acted on its death the row is gone, and a process that was only out of reach goes on under another
    name: so nothing that it still meant to send passes for what is agreed. `now` dates what is kept, by default on the
    database's clock; leases go by that alone.
    """

    def __init__(self, address: str, now: Callable[[], float] | None = None) -> None:
        self._database = PostgresDatabase(address)
        super().__init__(now or self._database.now)
        self._renewing: asyncio.Task[None] | None = None
        self._entering = anyio.Lock()
        self._held: set[str] = set()
        self._never_sent: set[str] = set()
        self._in_doubt: set[str] = set()
        self._taking = anyio.Lock()

    @property
    def shown(self) -> str:
        """Where it is, without who logs in, and how."""
        return self._database.shown

    async def try_out(self) -> None:
        """Connect, make what is missing, and write without changing anything.

        Raises:
            Misconfigured: The database cannot be reached or written, or a newer version of this one wrote it.
        """
        await self._database.play(lambda: change("DELETE FROM workers WHERE worker = ?", ""), Concern())

    async def reach(self) -> None:
        """Do what `Journal.reach` promises."""
        await self._database.play(lambda: select("SELECT 1"), Concern())

    async def exists(self) -> bool:
        """Whether anybody keeps a journal there; none is made. Raises `Misconfigured`."""
        return await self._database.has_journal()

    async def sealing_key(self) -> bytes:
        """Return the key that all share who use this database; the first one makes it. Raises `Misconfigured`."""

        def work() -> Script[bytes]:
            made = "INSERT INTO sealing_keys (place, sealing_key) VALUES (1, ?) ON CONFLICT DO NOTHING"
            yield from change(made, os.urandom(_KEY_BYTES))
            return bytes((yield from select("SELECT sealing_key FROM sealing_keys"))[0]["sealing_key"])

        return await self._database.play(work, Concern())

    async def begin(self, intent: Intent, seen: Collection[str] | None, allowance: Allowance | None) -> float | None:
        """Do what `Journal.begin` promises."""
        await self._enter()
        if intent.sender != self.worker:
            raise Misconfigured(
                f"The journal in {self.shown} was out of reach for too long.", "Nothing was sent. Call again."
            )
        try:
            return await super().begin(intent, seen, allowance)
        except InDoubt:
            self._never_sent.add(intent.intent_id)  # its caller is told that it was not
            raise

    async def take(self, intent_id: str) -> bool:
        """Do what `Journal.take` promises."""
        async with self._taking:
            await self._mend()
            try:
                return await super().take(intent_id)
            except InDoubt:
                self._in_doubt.add(intent_id)
                raise

    async def aclose(self) -> None:
        """Do what `Journal.aclose` promises."""
        renewing, self._renewing = self._renewing, None
        if renewing is not None:
            renewing.cancel()
            await asyncio.wait([renewing])
            with suppress(Misconfigured):  # then it ends with its lease
                await self._mend()
                await self._database.play(self._leave, Concern())
            self.worker = new_id()
        self._database.close()

    async def _write(self, script: Callable[[], Script[Result]], concern: Concern) -> Result:
        await self._enter()
        return await self._database.play(script, concern)

    async def _read(self, script: Callable[[], Script[Result]]) -> Result:
        return await self._database.play(script, Concern())

    def _living(self, workers: Set[str]) -> Script[Set[str]]:
        if not workers - {self.worker}:  # a process that asks lives
            return {self.worker}
        alive = "SELECT worker FROM workers WHERE worker = ANY(?) AND expires_at > clock_timestamp()"
        return {row["worker"] for row in (yield from select(alive, list(workers)))} | {self.worker}

    def _bury(self, workers: Set[str]) -> Script[None]:
        if others := sorted(workers - {self.worker}):
            dead = "DELETE FROM workers WHERE worker = ANY(?) AND expires_at <= clock_timestamp()"
            yield from change(dead, others)

    def _stay(self) -> Script[None]:
        if not (yield from change(_RENEW, LEASE_SECONDS, self.worker)):
            raise Misconfigured(
                f"The journal in {self.shown} was out of reach for too long.", "Nothing was sent. Call again."
            )

    @asynccontextmanager
    async def _turn(self, name: str) -> AsyncGenerator[None]:
        await self._enter()
        holder = self.worker

        def acquire() -> Script[bool]:
            yield from self._stay()
            rows = yield from select("SELECT holder FROM locks WHERE name = ?", name)
            yield from self._bury({row["holder"] for row in rows})
            mine = (
                "INSERT INTO locks (name, holder) VALUES (?, ?) ON CONFLICT (name) DO UPDATE "
                "SET holder = excluded.holder WHERE NOT EXISTS (SELECT FROM workers WHERE worker = locks.holder)"
            )
            return (yield from change(mine, name, holder)) == 1

        self._held.add(name)
        try:
            while not await self._database.play(acquire, Concern()):  # noqa: ASYNC110 - another process frees it
                await anyio.sleep(_LOOK_AGAIN_SECONDS)
            yield
        finally:
            self._held.discard(name)
            let_go = "DELETE FROM locks WHERE name = ? AND holder = ?"
            with suppress(Misconfigured):  # then it is let go when the lease is renewed, or ends
                await self._database.play(lambda: change(let_go, name, holder), Concern())

    async def _enter(self) -> None:
        """See to it that this process counts as living for as long as it does."""
        async with self._entering:
            if self._renewing is None or self._renewing.done():
                await (self._register() if self._renewing is None else self._renew())
                self._renewing = asyncio.create_task(self._keep_renewing())

    async def _keep_renewing(self) -> None:
        is_out_of_reach = False
        while self._renewing is asyncio.current_task():
            await asyncio.sleep(_RENEW_SECONDS)
            try:
                await self._renew()
            except Misconfigured as error:
                if not is_out_of_reach:
                    logger.warning("%s", error.message)
                is_out_of_reach = True
            else:
                if is_out_of_reach:
                    logger.warning("the journal in %s can be used again", self.shown)
                is_out_of_reach = False

    async def _register(self) -> None:
        await self._database.play(lambda: change(_ENTER, LEASE_SECONDS, self.worker), Concern())

    async def _renew(self) -> None:
        if not await self._database.play(self._renewed, Concern()):
            self.worker = new_id()
            await self._register()
        async with self._taking:
            await self._mend()

    def _renewed(self) -> Script[bool]:
        """Renew the lease; False if another process has acted on this one's death meanwhile."""
        if not (yield from change(_RENEW, LEASE_SECONDS, self.worker)):
            return False
        # What could not be let go when it should have been.
        left = "DELETE FROM locks WHERE holder = ? AND name != ALL(?)"
        yield from change(left, self.worker, list(self._held))
        yield from change(f"DELETE FROM workers WHERE expires_at < {_FROM_NOW}", -_LITTER_SECONDS)  # noqa: S608
        return True

    async def _mend(self) -> None:
        """Take back what was committed, or was not, when the connection broke: nobody here goes on with it."""
        never_sent, in_doubt = sorted(self._never_sent), sorted(self._in_doubt)
        if not never_sent and not in_doubt:
            return

        def work() -> Script[None]:
            yield from change(_NEVER_SENT, never_sent)
            given_back = "UPDATE intents SET owner = NULL WHERE intent_id = ANY(?) AND owner = ?"
            yield from change(given_back, in_doubt, self.worker)

        await self._database.play(work, Concern())
        self._never_sent.difference_update(never_sent)
        self._in_doubt.difference_update(in_doubt)

    def _leave(self) -> Script[None]:
        yield from change("DELETE FROM workers WHERE worker = ?", self.worker)
        yield from change("DELETE FROM locks WHERE holder = ?", self.worker)
