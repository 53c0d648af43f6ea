"""Journals on clocks that tests set, the processes that share one file, and intents."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio

from quantinal_mcp.journal.database import Database
from quantinal_mcp.journal.engine import Concern, Engine, change
from quantinal_mcp.journal.postgres import PostgresJournal
from quantinal_mcp.journal.postgres_database import PostgresDatabase
from quantinal_mcp.journal.records import Allowance, Intent, Snapshot, new_id
from quantinal_mcp.journal.sqlite import SqliteJournal

ACCOUNT = "account-digest"
TRACKER = "trk_one"
NOON = 1_790_164_800.0
"""2026-09-23, 12:00 UTC."""
DAY = 86_400.0
TODAY = Allowance(1.0, NOON - DAY / 2, NOON + DAY / 2)


@dataclass
class Clock:
    """UTC seconds since 1970, which pass when a test says so."""

    now: float = NOON

    def __call__(self) -> float:
        return self.now


def memory(clock: Clock) -> SqliteJournal:
    return SqliteJournal(now=clock)


def at(path: Path, clock: Clock | None = None) -> SqliteJournal:
    """A journal in that file, as one process has it."""
    return SqliteJournal(lambda: path, now=clock or Clock())


def intent(journal: Engine, **fields: Any) -> Intent:
    """A trigger that this process is about to send for a caller."""
    given: dict[str, Any] = {
        "intent_id": new_id(),
        "account": ACCOUNT,
        "tracker_id": TRACKER,
        "sync": False,
        "begun_at": journal.now(),
        "before": Snapshot.of(()),
        "reserved": 0.1,
        "sender": journal.worker,
        "owner": journal.worker,
    }
    return Intent(**(given | fields))


def sharing(store: Database, folder: Path, now: Callable[[], float]) -> SqliteJournal:
    """A journal of one of several processes, whose file is a memory that they share: no thread, so that time may be
    virtual. Who lives is told by files, as ever."""
    journal = SqliteJournal(lambda: folder / "journal.db", now)
    workers = journal._workers  # pyright: ignore[reportPrivateUsage]
    assert workers is not None
    workers.enter()
    journal._database = store  # pyright: ignore[reportPrivateUsage]
    return journal


async def begun(journal: Engine, **fields: Any) -> str:
    """The id of an intent that is written down, whatever there is besides."""
    begins = intent(journal, **fields)
    assert await journal.begin(begins, None, None) is not None
    return begins.intent_id


async def got(journal: Engine, intent_id: str) -> Intent:
    found = await journal.get(intent_id)
    assert found is not None
    return found


async def die(journal: Engine) -> None:
    """Let go of everything as the system does for a process that was killed, and clean up nothing."""
    if isinstance(journal, PostgresJournal):
        await expire(journal)
        journal._database.close()  # pyright: ignore[reportPrivateUsage]
        return
    assert isinstance(journal, SqliteJournal)
    let_go(journal)
    journal._database.close()  # pyright: ignore[reportPrivateUsage]


async def expire(journal: PostgresJournal) -> None:
    """Renew this process's lease no more, and let the time of it pass on the database's clock."""
    if (renewing := journal._renewing) is not None:  # pyright: ignore[reportPrivateUsage]
        renewing.cancel()
    over = "UPDATE workers SET expires_at = clock_timestamp() WHERE worker = ?"
    clock = PostgresDatabase(journal._database._address)  # pyright: ignore[reportPrivateUsage]
    await clock.play(lambda: change(over, journal.worker), Concern())
    clock.close()


def let_go(journal: SqliteJournal) -> None:
    """Let go of what says that this process lives."""
    workers = journal._workers  # pyright: ignore[reportPrivateUsage]
    assert workers is not None
    if (held := workers._held) is not None:  # pyright: ignore[reportPrivateUsage]
        os.close(held)
        workers._held = None  # pyright: ignore[reportPrivateUsage]


def raw(path: Path) -> closing[sqlite3.Connection]:
    return closing(sqlite3.connect(path, isolation_level=None))


def names_in(folder: Path) -> set[str]:
    """What there is in a folder, and in those below it."""
    return {path.name for path in folder.rglob("*")}


def changing() -> Callable[[Engine], Awaitable[None]]:
    """What changes a tracker, and fails where two do so at once."""
    inside: list[Engine] = []

    async def change(journal: Engine) -> None:
        async with journal.exclusive(ACCOUNT, TRACKER):
            inside.append(journal)
            assert len(inside) == 1
            await anyio.sleep(0.05)
            inside.remove(journal)

    return change
