"""The journal in SQLite: a file that all of a user's processes share, or the memory of one."""

from __future__ import annotations

import hashlib
import time
from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final
from weakref import WeakValueDictionary

import anyio

from quantinal_mcp.errors import Misconfigured
from quantinal_mcp.journal.database import Database, unusable
from quantinal_mcp.journal.records import DAY_SECONDS, KEPT_SECONDS, Allowance, Intent, Match, NotCovered, new_id
from quantinal_mcp.journal.rows import committed, insert, intent_of
from quantinal_mcp.journal.workers import Workers

if TYPE_CHECKING:
    import sqlite3

_EXCLUSIVE_SECONDS: Final = 30.0
_REMEMBERED_SECONDS: Final = DAY_SECONDS
_ANSWER_KEPT_SECONDS: Final = 2 * DAY_SECONDS
"""Far longer than a question waits for its answer: a clock may be put right meanwhile."""
_NOISE: Final = 1e-9

_ONLY_FROM: Final = {"lost": "sent", "given_up": "lost"}
"""Who moves an intent to a state has seen it in another one: where that has changed meanwhile, it is not moved."""

_MOVES: Final = {
    "state": "state = ?",
    "answered_at": "answered_at = ?",
    "unknown_at": "unknown_at = ?",
    "owner": "owner = nullif(owner, ?)",  # only its own is given back
}
_WITHOUT_RUN: Final = "run_id = NULL, match = 'certain', charged = NULL, settled_at = NULL"


class SqliteJournal:
    """A journal in the file that `place` tells, made when it is first needed; None keeps it in this process's memory.

    `now` is the clock: UTC seconds since 1970. It dates what is kept; who lives is told by locks, never by it.
    `gives_way` lets memory take the place of a file that cannot be written.
    """

    def __init__(
        self,
        place: Callable[[], Path | None] | None = None,
        now: Callable[[], float] = time.time,
        *,
        gives_way: bool = False,
    ) -> None:
        self._place = place
        self._gives_way = gives_way
        self._locks: WeakValueDictionary[str, anyio.Lock] = WeakValueDictionary()
        self._pruned_at = float("-inf")
        self.worker = new_id()
        self.now = now

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

    def try_out(self) -> None:
        """Make it, open it, and write to it without changing anything; blocks.

        Raises:
            Unwritable: It cannot be written.
            Misconfigured: It is damaged, another program's, of a newer version of this one, or kept locked.
        """
        self._database.try_out()

    async def begin(self, intent: Intent, seen: Collection[str] | None, allowance: Allowance | None) -> float | None:
        """Do what `Journal.begin` promises."""

        def work(db: sqlite3.Connection) -> float | None:
            self._prune(db)
            if seen is not None:
                recent = "SELECT intent_id FROM intents WHERE account = ? AND tracker_id = ? AND state != 'refused'"
                where = (intent.account, intent.tracker_id, self._horizon())
                if any(row["intent_id"] not in seen for row in db.execute(f"{recent} AND begun_at >= ?", where)):
                    return None
            left = float("inf")
            if allowance is not None:
                left = allowance.limit - committed(db, intent.account, allowance)
                if intent.reserved > left + _NOISE:
                    raise NotCovered(left)
            insert(db, intent)
            return left - intent.reserved

        return await self._database.write(work)

    def _horizon(self) -> float:
        return self.now() - _REMEMBERED_SECONDS

    async def of(self, account: str, tracker_id: str) -> list[Intent]:
        """Do what `Journal.of` promises."""
        where = "account = ? AND tracker_id = ? AND begun_at >= ? AND state != 'refused'"
        return await self._select(where, account, tracker_id, self._horizon())

    async def get(self, intent_id: str) -> Intent | None:
        """Do what `Journal.get` promises."""
        found = await self._select("intent_id = ?", intent_id)
        return found[0] if found else None

    async def intents(self, account: str | None, since: float) -> list[Intent]:
        """Do what `Journal.intents` promises."""
        if account is None:
            return await self._select("begun_at >= ?", since)
        return await self._select("begun_at >= ? AND account = ?", since, account)

    async def _select(self, where: str, *values: str | float) -> list[Intent]:
        query = f"SELECT * FROM intents WHERE {where} ORDER BY begun_at, intent_id"  # noqa: S608 - constants of this class

        def work(db: sqlite3.Connection) -> list[Intent]:
            lives = cache(self._lives)
            return [_seen(intent_of(row), lives) for row in db.execute(query, values)]

        return await self._database.read(work)

    def _lives(self, worker: str) -> bool:
        return worker == self.worker if self._workers is None else self._workers.lives(worker)

    async def take(self, intent_id: str) -> bool:
        """Do what `Journal.take` promises."""

        def work(db: sqlite3.Connection) -> bool:
            row = db.execute("SELECT * FROM intents WHERE intent_id = ?", (intent_id,)).fetchone()
            if row is None:
                return False
            intent = _seen(intent_of(row), self._lives)
            if intent.owner is not None or not intent.is_open:
                return False
            db.execute(
                "UPDATE intents SET owner = ?, state = ? WHERE intent_id = ?", (self.worker, intent.state, intent_id)
            )
            return True

        return await self._database.write(work)

    async def move(self, intent_id: str, **changes: float | str | None) -> bool:
        """Do what `Journal.move` promises."""
        unknown = changes.keys() - _MOVES.keys()
        if unknown:
            raise TypeError(f"an intent's {', '.join(sorted(unknown))} cannot be set")
        given = [_MOVES[name] for name in changes]
        values = [self.worker if name == "owner" else value for name, value in changes.items()]
        where = "intent_id = ?"
        if (state := changes.get("state")) == "refused":
            given.append(_WITHOUT_RUN)
        elif state in _ONLY_FROM:
            where += f" AND state = '{_ONLY_FROM[state]}'"
        query = f"UPDATE intents SET {', '.join(given)} WHERE {where}"  # noqa: S608 - constants of this module
        return await self._database.write(lambda db: db.execute(query, (*values, intent_id)).rowcount == 1)

    async def claim(self, intent_id: str, run_id: str, match: Match) -> bool:
        """Do what `Journal.claim` promises."""

        def work(db: sqlite3.Connection) -> bool:
            mine = db.execute("SELECT * FROM intents WHERE intent_id = ?", (intent_id,)).fetchone()
            if mine is None or mine["state"] == "refused":
                return False
            of_run = "SELECT intent_id, match FROM intents WHERE account = ? AND run_id = ?"
            held = db.execute(of_run, (mine["account"], run_id)).fetchone()
            is_mine = held is not None and held["intent_id"] == intent_id
            if match == "likely" and (held is not None or mine["run_id"] is not None):
                return is_mine
            if held is not None and not is_mine:
                if held["match"] == "certain":
                    return False
                # It was taken for another's: that one's is still to be found.
                lost = f"UPDATE intents SET state = 'lost', {_WITHOUT_RUN} WHERE intent_id = ?"  # noqa: S608
                db.execute(lost, (held["intent_id"],))
            if not is_mine:
                db.execute(f"UPDATE intents SET {_WITHOUT_RUN} WHERE intent_id = ?", (intent_id,))  # noqa: S608
            known = "UPDATE intents SET run_id = ?, match = ?, state = 'known' WHERE intent_id = ?"
            db.execute(known, (run_id, match, intent_id))
            return True

        return await self._database.write(work)

    async def settle(self, account: str, charges: Mapping[str, tuple[float, bool]]) -> None:
        """Do what `Journal.settle` promises."""
        unsettled = "SELECT run_id FROM intents WHERE account = ? AND settled_at IS NULL AND run_id IS NOT NULL"
        booked = (
            "UPDATE intents SET charged = ?, settled_at = ? WHERE account = ? AND run_id = ? AND settled_at IS NULL"
        )
        now = self.now()

        def due(db: sqlite3.Connection) -> list[tuple[float, float | None, str, str]]:
            runs = [row["run_id"] for row in db.execute(unsettled, (account,))]
            known = {run_id: charges[run_id] for run_id in runs if run_id in charges}
            return [
                (charged, now if is_final else None, account, run_id)
                for run_id, (charged, is_final) in known.items()
                if charged >= 0
            ]

        rows = await self._database.read(due)
        if rows:  # most of what is seen was never triggered from here, and a write costs a sync
            await self._database.write(lambda db: db.executemany(booked, rows))

    async def committed(self, account: str, allowance: Allowance) -> float:
        """Do what `Journal.committed` promises."""
        return await self._database.read(lambda db: committed(db, account, allowance))

    async def spend(self, answer: str) -> bool:
        """Do what `Journal.spend` promises."""
        now = self.now()

        def work(db: sqlite3.Connection) -> bool:
            db.execute("DELETE FROM answers WHERE spent_at < ?", (now - _ANSWER_KEPT_SECONDS,))
            return db.execute("INSERT OR IGNORE INTO answers VALUES (?, ?)", (answer, now)).rowcount == 1

        return await self._database.write(work)

    @asynccontextmanager
    async def exclusive(self, account: str, tracker_id: str) -> AsyncGenerator[None]:
        """Do what `Journal.exclusive` promises."""
        name = hashlib.sha256(f"{account} {tracker_id}".encode()).hexdigest()[:24]
        lock = self._locks.get(name)
        if lock is None:
            lock = self._locks[name] = anyio.Lock()
        async with lock, AsyncExitStack() as held:
            if self._workers is not None:
                try:
                    with anyio.fail_after(_EXCLUSIVE_SECONDS):
                        await held.enter_async_context(self._workers.exclusive(name))
                except TimeoutError:
                    raise Misconfigured(
                        "Another process has been changing this tracker for half a minute.",
                        "Nothing was sent. If it hangs, end it: it is the server of another of the user's clients.",
                    ) from None
                except OSError as error:
                    if not self._gives_way:
                        raise unusable(self._path, error) from error
            yield

    async def aclose(self) -> None:
        """Do what `Journal.aclose` promises."""
        self.close()

    def close(self) -> None:
        """Let go of what this process owned, and close."""
        for used in ("_workers", "_database"):  # neither is made in order to be closed
            if (kept := vars(self).get(used)) is not None:
                kept.close()

    def _prune(self, db: sqlite3.Connection) -> None:
        """Forget what is too old to matter, once a day."""
        now = self.now()
        if abs(now - self._pruned_at) > DAY_SECONDS:
            self._pruned_at = now
            db.execute("DELETE FROM intents WHERE begun_at < ?", (now - KEPT_SECONDS,))
            old = "begun_at < ? AND before != x''"
            db.execute(f"UPDATE intents SET before = x'' WHERE {old}", (now - 2 * _REMEMBERED_SECONDS,))  # noqa: S608


def _seen(intent: Intent, lives: Callable[[str], bool]) -> Intent:
    """Return an intent as it stands now that some processes have died."""
    if intent.owner is not None and not lives(intent.owner):
        intent = replace(intent, owner=None)
    if intent.state == "sent" and not lives(intent.sender):
        intent = replace(intent, state="lost")
    return intent
