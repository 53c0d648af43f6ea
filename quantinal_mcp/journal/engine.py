"""What a journal does, written once for every database."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence, Set
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Final, TypeVar
from weakref import WeakValueDictionary

import anyio

from quantinal_mcp.errors import Misconfigured
from quantinal_mcp.journal.records import DAY_SECONDS, KEPT_SECONDS, Allowance, Intent, Match, NotCovered, new_id
from quantinal_mcp.journal.rows import COMMITTED, INSERT, intent_of, values_of
from quantinal_mcp.journal.scripts import Concern, Script, change, select

Result = TypeVar("Result")

_REMEMBERED_SECONDS: Final = DAY_SECONDS
_ANSWER_KEPT_SECONDS: Final = 2 * DAY_SECONDS
"""Far longer than a question waits for its answer: a clock may be put right meanwhile."""
_NOISE: Final = 1e-9
_EXCLUSIVE_SECONDS: Final = 30.0

_ONLY_FROM: Final = {"lost": "sent", "given_up": "lost"}
"""Who moves an intent to a state has seen it in another one: where that has changed meanwhile, it is not moved."""

_MOVES: Final = {
    "state": "state = ?",
    "answered_at": "answered_at = ?",
    "unknown_at": "unknown_at = ?",
    "owner": "owner = nullif(owner, ?)",  # only its own is given back
}
WITHOUT_RUN: Final = "run_id = NULL, match = 'certain', charged = NULL, settled_at = NULL"


class Engine(ABC):
    """A journal, but for how its database is reached, who of its processes lives, and who may change a tracker.

    `now` is the clock: UTC seconds since 1970. It dates what is kept.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._pruned_at = float("-inf")
        self._locks: WeakValueDictionary[str, anyio.Lock] = WeakValueDictionary()
        self.worker = new_id()
        self.now = now

    @abstractmethod
    async def _write(self, script: Callable[[], Script[Result]], concern: Concern) -> Result:
        """Play a script in a transaction of its own, synced before it counts; raises as `Journal` says."""

    @abstractmethod
    async def _read(self, script: Callable[[], Script[Result]]) -> Result:
        """Play a script that only reads; raises as `Journal` says."""

    @abstractmethod
    def _living(self, workers: Set[str]) -> Script[Set[str]]:
        """Give those of these processes that live."""

    @abstractmethod
    def _turn(self, name: str) -> AbstractAsyncContextManager[None]:
        """Hold one lock among all processes; waits until it is free."""

    @property
    @abstractmethod
    def shown(self) -> str | None:
        """Where it is, without who logs in and how; None in this process's memory."""

    @abstractmethod
    async def exists(self) -> bool:
        """Whether anybody has made it yet; raises as `Journal` says."""

    @abstractmethod
    async def reach(self) -> None:
        """Do what `Journal.reach` promises."""

    @abstractmethod
    async def aclose(self) -> None:
        """Do what `Journal.aclose` promises."""

    def _bury(self, workers: Set[str]) -> Script[None]:  # noqa: ARG002
        """See to it that those of these processes that do not live know it, should they come back."""
        yield from ()

    def _stay(self) -> Script[None]:
        """See to it that this process counts as living from now on."""
        yield from ()

    async def begin(self, intent: Intent, seen: Collection[str] | None, allowance: Allowance | None) -> float | None:
        """Do what `Journal.begin` promises."""

        def work() -> Script[float | None]:
            yield from self._stay()
            yield from self._prune()
            if seen is not None:
                recent = "SELECT intent_id FROM intents WHERE account = ? AND tracker_id = ? AND state != 'refused'"
                where = (intent.account, intent.tracker_id, self._horizon())
                found = yield from select(f"{recent} AND begun_at >= ?", *where)
                if any(row["intent_id"] not in seen for row in found):
                    return None
            left = float("inf")
            if allowance is not None:
                left = allowance.limit - (yield from _committed(intent.account, allowance))
                if intent.reserved > left + _NOISE:
                    raise NotCovered(left)
            yield from change(INSERT, *values_of(intent))
            return left - intent.reserved

        return await self._write(work, Concern(account=intent.account))

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
        return await self._read(lambda: self._found(where, *values))

    def _found(self, where: str, *values: str | float) -> Script[list[Intent]]:
        query = f"SELECT * FROM intents WHERE {where} ORDER BY begun_at, intent_id"  # noqa: S608 - constants of this class
        intents = [intent_of(row) for row in (yield from select(query, *values))]
        living = yield from self._living(_workers_of(intents))
        return [_seen(intent, living) for intent in intents]

    async def take(self, intent_id: str) -> bool:
        """Do what `Journal.take` promises."""

        def work() -> Script[bool]:
            kept = [intent_of(row) for row in (yield from select(_ONE, intent_id))]
            yield from self._bury(_workers_of(kept))
            living = yield from self._living(_workers_of(kept))
            for intent in (_seen(one, living) for one in kept):
                if intent.owner is None and intent.is_open:
                    taken = "UPDATE intents SET owner = ?, state = ? WHERE intent_id = ?"
                    yield from change(taken, self.worker, intent.state, intent_id)
                    return True
            return False

        return await self._write(work, Concern(intent_id=intent_id))

    async def move(self, intent_id: str, **changes: float | str | None) -> bool:
        """Do what `Journal.move` promises."""
        unknown = changes.keys() - _MOVES.keys()
        if unknown:
            raise TypeError(f"an intent's {', '.join(sorted(unknown))} cannot be set")
        given = [_MOVES[name] for name in changes]
        where = "intent_id = ?"
        if (state := changes.get("state")) == "refused":
            given.append(WITHOUT_RUN)
        elif state in _ONLY_FROM:
            where += f" AND state = '{_ONLY_FROM[state]}'"
        query = f"UPDATE intents SET {', '.join(given)} WHERE {where}"  # noqa: S608 - constants of this module

        def work() -> Script[bool]:
            values = [self.worker if name == "owner" else value for name, value in changes.items()]
            return (yield from change(query, *values, intent_id)) == 1

        return await self._write(work, Concern(intent_id=intent_id))

    async def claim(self, intent_id: str, run_id: str, match: Match) -> bool:
        """Do what `Journal.claim` promises."""

        def work() -> Script[bool]:
            mine = next(iter((yield from select(_ONE, intent_id))), None)
            if mine is None or mine["state"] == "refused":
                return False
            of_run = "SELECT intent_id, match FROM intents WHERE account = ? AND run_id = ?"
            held = next(iter((yield from select(of_run, mine["account"], run_id))), None)
            is_mine = held is not None and held["intent_id"] == intent_id
            if match == "likely" and (held is not None or mine["run_id"] is not None):
                return is_mine
            if held is not None and not is_mine:
                if held["match"] == "certain":
                    return False
                # It was taken for another's: that one's is still to be found.
                lost = f"UPDATE intents SET state = 'lost', {WITHOUT_RUN} WHERE intent_id = ?"  # noqa: S608
                yield from change(lost, held["intent_id"])
            if not is_mine:
                yield from change(f"UPDATE intents SET {WITHOUT_RUN} WHERE intent_id = ?", intent_id)  # noqa: S608
            known = "UPDATE intents SET run_id = ?, match = ?, state = 'known' WHERE intent_id = ?"
            yield from change(known, run_id, match, intent_id)
            return True

        return await self._write(work, Concern(intent_id=intent_id))

    async def settle(self, account: str, charges: Mapping[str, tuple[float, bool]]) -> None:
        """Do what `Journal.settle` promises."""
        unsettled = "SELECT run_id FROM intents WHERE account = ? AND settled_at IS NULL AND run_id IS NOT NULL"
        booked = (
            "UPDATE intents SET charged = ?, settled_at = ? WHERE account = ? AND run_id = ? AND settled_at IS NULL"
        )
        now = self.now()

        def due() -> Script[list[tuple[float, float | None, str, str]]]:
            runs = [row["run_id"] for row in (yield from select(unsettled, account))]
            known = {run_id: charges[run_id] for run_id in runs if run_id in charges}
            return [
                (charged, now if is_final else None, account, run_id)
                for run_id, (charged, is_final) in known.items()
                if charged >= 0
            ]

        def book() -> Script[None]:
            for row in rows:
                yield from change(booked, *row)

        rows = await self._read(due)
        if rows:  # most of what is seen was never triggered from here, and a write costs a sync
            await self._write(book, Concern(account=account))

    async def committed(self, account: str, allowance: Allowance) -> float:
        """Do what `Journal.committed` promises."""
        return await self._read(lambda: _committed(account, allowance))

    async def spend(self, answer: str) -> bool:
        """Do what `Journal.spend` promises."""
        now = self.now()

        def work() -> Script[bool]:
            yield from change("DELETE FROM answers WHERE spent_at < ?", now - _ANSWER_KEPT_SECONDS)
            spent = "INSERT INTO answers (answer, spent_at) VALUES (?, ?) ON CONFLICT DO NOTHING"
            return (yield from change(spent, answer, now)) == 1

        return await self._write(work, Concern())

    @asynccontextmanager
    async def exclusive(self, account: str, tracker_id: str) -> AsyncGenerator[None]:
        """Do what `Journal.exclusive` promises."""
        name = hashlib.sha256(f"{account} {tracker_id}".encode()).hexdigest()[:24]
        lock = self._locks.get(name)
        if lock is None:
            lock = self._locks[name] = anyio.Lock()
        async with lock, AsyncExitStack() as held:
            try:
                with anyio.fail_after(_EXCLUSIVE_SECONDS):
                    await held.enter_async_context(self._turn(name))
            except TimeoutError:
                raise Misconfigured(
                    "Another process has been changing this tracker for half a minute.",
                    "Nothing was sent. If it hangs, end it: it is the server of another of the user's clients.",
                ) from None
            yield

    def _prune(self) -> Script[None]:
        """Forget what is too old to matter, once a day."""
        now = self.now()
        if abs(now - self._pruned_at) > DAY_SECONDS:
            self._pruned_at = now
            yield from change("DELETE FROM intents WHERE begun_at < ?", now - KEPT_SECONDS)
            old = "UPDATE intents SET before = ? WHERE begun_at < ? AND before != ?"
            yield from change(old, b"", now - 2 * _REMEMBERED_SECONDS, b"")


_ONE: Final = "SELECT * FROM intents WHERE intent_id = ?"


def _committed(account: str, allowance: Allowance) -> Script[float]:
    since, until = allowance.since, allowance.until
    rows = yield from select(COMMITTED, since, until, account, since, until, since, until)
    return float(rows[0]["counted"])


def _workers_of(intents: Sequence[Intent]) -> Set[str]:
    owners = {intent.owner for intent in intents if intent.owner is not None}
    return owners | {intent.sender for intent in intents if intent.state == "sent"}


def _seen(intent: Intent, living: Set[str]) -> Intent:
    """Return an intent as it stands now that some processes have died."""
    if intent.owner is not None and intent.owner not in living:
        intent = replace(intent, owner=None)
    if intent.state == "sent" and intent.sender not in living:
        intent = replace(intent, state="lost")
    return intent
