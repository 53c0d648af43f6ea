"""The journal in SQLite: a file that all of a user's processes share, or the memory of one."""

from __future__ import annotations

import hashlib
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import fields, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import anyio

from quantinal_mcp.errors import Misconfigured
from quantinal_mcp.journal.database import Database, unusable
from quantinal_mcp.journal.records import DAY_SECONDS, KEPT_SECONDS, Allowance, Intent, NotCovered, Snapshot, new_id
from quantinal_mcp.journal.workers import Workers

if TYPE_CHECKING:
    import sqlite3

_EXCLUSIVE_SECONDS: Final = 30.0
_REMEMBERED_SECONDS: Final = DAY_SECONDS
_ANSWER_KEPT_SECONDS: Final = 3600.0
_NOISE: Final = 1e-9
_COLUMNS: Final = tuple(field.name for field in fields(Intent))
_INSERT: Final = f"INSERT INTO intents ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608
_MOVABLE: Final = frozenset({"state", "owner", "answered_at", "unknown_at"})

_COMMITTED: Final = """
    SELECT coalesce(sum(CASE
        WHEN begun_at >= :since THEN
            CASE WHEN settled_at IS NOT NULL AND settled_at < :until THEN charged
                 ELSE max(reserved, coalesce(charged, 0)) END
        ELSE max(0, charged - reserved) END), 0)
    FROM intents
    WHERE account = :account AND state != 'refused'
      AND ((begun_at >= :since AND begun_at < :until) OR (settled_at >= :since AND settled_at < :until))
"""
"""What was begun in the period counts with its charge, or what it reserved until that is known; of what was begun
before it and settled in it, what was charged beyond the reservation."""


class SqliteJournal:
    """A journal in the file that `place` tells, made when it is first needed; None keeps it in this process's memory.

    `now` is the clock: UTC seconds since 1970. It dates what is kept; who lives is told by locks, never by it.
    `gives_way` lets memory take the place of a file that cannot be written.
    """

    def __init__(
        self,
        place: Callable[[], Path] | None = None,
        now: Callable[[], float] = time.time,
        *,
        gives_way: bool = False,
    ) -> None:
        self._place = place
        self._gives_way = gives_way
        self._locks: defaultdict[str, anyio.Lock] = defaultdict(anyio.Lock)
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

    async def open(self) -> None:
        """Open it, or find out that it cannot be used.

        Raises:
            Misconfigured: It cannot be written, is damaged, another program's, or of a newer version of this one.
        """
        await self._database.write(lambda _: None)

    async def begin(self, intent: Intent, seen: Collection[str] | None, allowance: Allowance | None) -> float | None:
        """Do what `Journal.begin` promises."""

        def work(db: sqlite3.Connection) -> float | None:
            self._prune(db)
            if seen is not None:
                recent = "SELECT intent_id FROM intents WHERE account = ? AND tracker_id = ? AND state != 'refused'"
                rows = db.execute(f"{recent} AND begun_at >= ?", (*self._where(intent), self._horizon()))
                if any(row["intent_id"] not in seen for row in rows):
                    return None
            left = float("inf")
            if allowance is not None:
                left = allowance.limit - _committed(db, intent.account, allowance)
                if intent.reserved > left + _NOISE:
                    raise NotCovered(left)
            db.execute(_INSERT, _values(intent))
            return left - intent.reserved

        return await self._database.write(work)

    @staticmethod
    def _where(intent: Intent) -> tuple[str, str]:
        return intent.account, intent.tracker_id

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
            return [self._seen(_intent(row)) for row in db.execute(query, values)]

        return await self._database.read(work)

    def _seen(self, intent: Intent) -> Intent:
        """Return an intent as it stands now that some processes have died."""
        if intent.owner is not None and not self._lives(intent.owner):
            intent = replace(intent, owner=None)
        if intent.state == "sent" and not self._lives(intent.sender):
            intent = replace(intent, state="lost")
        return intent

    def _lives(self, worker: str) -> bool:
        return worker == self.worker if self._workers is None else self._workers.lives(worker)

    async def take(self, intent_id: str) -> bool:
        """Do what `Journal.take` promises."""

        def work(db: sqlite3.Connection) -> bool:
            row = db.execute("SELECT * FROM intents WHERE intent_id = ?", (intent_id,)).fetchone()
            if row is None:
                return False
            intent = self._seen(_intent(row))
            if intent.owner is not None or not intent.is_open:
                return False
            db.execute(
                "UPDATE intents SET owner = ?, state = ? WHERE intent_id = ?", (self.worker, intent.state, intent_id)
            )
            return True

        return await self._database.write(work)

    async def move(self, intent_id: str, **changes: float | str | None) -> None:
        """Do what `Journal.move` promises."""
        unknown = changes.keys() - _MOVABLE
        if unknown:
            raise TypeError(f"an intent's {', '.join(sorted(unknown))} cannot be set")
        given = ", ".join(f"{name} = ?" for name in changes)
        query = f"UPDATE intents SET {given} WHERE intent_id = ?"  # noqa: S608 - names from _MOVABLE
        await self._database.write(lambda db: db.execute(query, (*changes.values(), intent_id)))

    async def claim(self, intent_id: str, run_id: str, match: str) -> bool:
        """Do what `Journal.claim` promises."""

        def work(db: sqlite3.Connection) -> bool:
            mine = db.execute("SELECT * FROM intents WHERE intent_id = ?", (intent_id,)).fetchone()
            if mine is None:
                return False
            held = db.execute(
                "SELECT intent_id, match FROM intents WHERE account = ? AND run_id = ?", (mine["account"], run_id)
            ).fetchone()
            if held is not None and held["intent_id"] == intent_id and held["match"] == "certain":
                return True
            if match != "certain":
                if held is not None or mine["run_id"] is not None:
                    return held is not None and held["intent_id"] == intent_id
            elif held is not None and held["intent_id"] != intent_id:
                # It was taken for another's: that one's is still to be found.
                db.execute(
                    "UPDATE intents SET run_id = NULL, state = 'lost', match = 'certain' WHERE intent_id = ?",
                    (held["intent_id"],),
                )
            db.execute(
                "UPDATE intents SET run_id = ?, match = ?, state = 'known' WHERE intent_id = ?",
                (run_id, match, intent_id),
            )
            return True

        return await self._database.write(work)

    async def settle(self, account: str, charges: Mapping[str, tuple[float, bool]]) -> None:
        """Do what `Journal.settle` promises."""
        now = self.now()

        def work(db: sqlite3.Connection) -> None:
            for run_id, (charged, is_final) in charges.items():
                db.execute(
                    "UPDATE intents SET charged = ?, settled_at = ?"
                    " WHERE account = ? AND run_id = ? AND settled_at IS NULL",
                    (charged, now if is_final else None, account, run_id),
                )

        await self._database.write(work)

    async def committed(self, account: str, allowance: Allowance) -> float:
        """Do what `Journal.committed` promises."""
        return await self._database.read(lambda db: _committed(db, account, allowance))

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
        async with self._locks[name], AsyncExitStack() as held:
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
        if self._workers is not None:
            self._workers.leave()
        self._database.close()

    def _prune(self, db: sqlite3.Connection) -> None:
        """Forget what is too old to matter, once a day."""
        now = self.now()
        if now - self._pruned_at > DAY_SECONDS:
            self._pruned_at = now
            db.execute("DELETE FROM intents WHERE begun_at < ?", (now - KEPT_SECONDS,))
            db.execute("UPDATE intents SET before = x'' WHERE begun_at < ?", (now - 2 * _REMEMBERED_SECONDS,))


def _values(intent: Intent) -> list[Any]:
    return list({**{name: getattr(intent, name) for name in _COLUMNS}, "before": intent.before.pack()}.values())


def _intent(row: sqlite3.Row) -> Intent:
    kept: dict[str, Any] = {name: row[name] for name in _COLUMNS}
    kept["sync"] = bool(row["sync"])
    kept["before"] = Snapshot.unpack(row["before"])
    return Intent(**kept)


def _committed(db: sqlite3.Connection, account: str, allowance: Allowance) -> float:
    period = {"account": account, "since": allowance.since, "until": allowance.until}
    return float(db.execute(_COMMITTED, period).fetchone()[0])
