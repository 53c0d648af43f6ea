"""A database that several machines share: made once, begun by one, and what becomes of who is cut off or dead."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable

import anyio
import pytest

from help.callers import gather
from help.journals import ACCOUNT, TODAY, TRACKER, begun, changing, die, expire, got, intent
from help.over_http import until
from help.postgres import Line, Postgres
from quantinal_mcp.errors import Misconfigured
from quantinal_mcp.journal.migrations import VERSION
from quantinal_mcp.journal.postgres import PostgresJournal

pytestmark = [pytest.mark.anyio, pytest.mark.fleet]

Opened = Callable[[], PostgresJournal]


@pytest.fixture
async def process(address: str) -> AsyncGenerator[Opened]:
    journals: list[PostgresJournal] = []

    def start() -> PostgresJournal:
        journals.append(PostgresJournal(address))
        return journals[-1]

    yield start
    for journal in journals:
        await journal.aclose()


def name_of(address: str) -> str:
    return address.rpartition("/")[2]


async def test_many_that_start_at_once_make_one_journal(process: Opened) -> None:
    journals = [process() for _ in range(8)]
    await gather(*[lambda one=one: begun(one) for one in journals])
    assert len(await journals[0].of(ACCOUNT, TRACKER)) == 8
    keys = await gather(*[journal.sealing_key for journal in journals])
    assert len(set(keys)) == 1
    assert len(keys[0]) == 32


async def test_looking_whether_there_is_one_makes_none(process: Opened, server: Postgres, address: str) -> None:
    journal = process()
    assert not await journal.exists()
    assert server.execute(name_of(address), "SELECT FROM pg_namespace WHERE nspname = 'quantinal'") == []
    await journal.try_out()
    assert await journal.exists()


async def test_one_that_a_newer_version_took_over_is_not_touched(
    process: Opened, server: Postgres, address: str
) -> None:
    journal = process()
    await begun(journal)
    server.execute(name_of(address), f"UPDATE quantinal.version SET version = {VERSION + 1}")  # noqa: S608
    for one in (journal, process()):
        with pytest.raises(Misconfigured, match="newer"):
            await begun(one)
        with pytest.raises(Misconfigured, match="newer"):
            await one.of(ACCOUNT, TRACKER)
    assert len(server.execute(name_of(address), "SELECT FROM quantinal.intents")) == 1


async def test_a_database_that_was_made_anew_is_begun_anew(process: Opened, server: Postgres, address: str) -> None:
    journal = process()
    await begun(journal)
    server.execute(name_of(address), "DROP SCHEMA quantinal CASCADE")
    assert await journal.of(ACCOUNT, TRACKER) == []


@pytest.mark.parametrize("cut", ["before", "after"])
async def test_a_trigger_whose_commit_was_cut_off_is_refused_and_reserves_nothing(
    server: Postgres, address: str, process: Opened, cut: str
) -> None:
    line, other = Line(server.port), process()
    async with line.laid() as port:
        journal = PostgresJournal(address.replace(f":{server.port}/", f":{port}/"))
        await journal.spend("so that it is known")
        line.cuts = cut
        with pytest.raises(Misconfigured, match="broke at the last moment"):
            await journal.begin(intent(journal, reserved=0.6), (), TODAY)
        kept = await other.of(ACCOUNT, TRACKER)
        assert len(kept) == (1 if cut == "after" else 0)
        assert not [await other.take(one.intent_id) for one in kept if await other.take(one.intent_id)]
        with anyio.fail_after(10):
            while await other.of(ACCOUNT, TRACKER):  # noqa: ASYNC110 - until the lease is renewed
                await anyio.sleep(0.1)
        assert await journal.committed(ACCOUNT, TODAY) == 0
        await journal.aclose()


async def test_a_takeover_whose_commit_was_cut_off_keeps_it_from_nobody(
    server: Postgres, address: str, process: Opened
) -> None:
    line, other = Line(server.port), process()
    one = await begun(other)
    await other.move(one, state="lost", owner=None)
    async with line.laid() as port:
        journal = PostgresJournal(address.replace(f":{server.port}/", f":{port}/"))
        await journal.spend("so that it is known")
        line.cuts = "after"
        with pytest.raises(Misconfigured):
            await journal.take(one)
        assert (await got(other, one)).owner == journal.worker
        assert await journal.take(one)
        assert not await journal.take(one)
        await journal.aclose()


async def test_who_was_taken_for_dead_goes_on_under_another_name_and_sends_nothing_old(process: Opened) -> None:
    away, other = process(), process()
    sent = await begun(away)
    old = intent(away)
    name = away.worker
    await expire(away)
    assert await other.take(sent)
    with pytest.raises(Misconfigured, match="out of reach"):
        await away.begin(old, None, None)
    # Its next renewal tells it.
    await away._renew()  # pyright: ignore[reportPrivateUsage]
    assert away.worker != name
    with pytest.raises(Misconfigured, match="out of reach"):
        await away.begin(old, None, None)
    assert await begun(away)
    assert not await away.take(sent)
    # The answer to what it had sent is known all the same.
    assert await away.claim(sent, "run_1", "certain")
    assert (await got(other, sent)).run_id == "run_1"


async def test_who_was_out_of_reach_and_nobody_missed_keeps_what_it_works_on(process: Opened) -> None:
    away, other = process(), process()
    sent = await begun(away)
    name = away.worker
    await expire(away)
    assert (await got(other, sent)).state == "lost"
    assert (await got(away, sent)).state == "sent"
    await away._renew()  # pyright: ignore[reportPrivateUsage]
    assert away.worker == name
    assert (await got(other, sent)).owner == name
    assert not await other.take(sent)


async def test_a_tracker_is_changed_by_one_at_a_time_and_the_dead_hold_nobody_up(process: Opened) -> None:
    one, other, dead = process(), process(), process()
    change = changing()
    await gather(*[lambda journal=journal: change(journal) for journal in (one, other, one, other)])
    async with dead.exclusive(ACCOUNT, TRACKER):
        with anyio.move_on_after(0.3) as waiting:
            await change(one)
        assert waiting.cancelled_caught
        await die(dead)
        with anyio.fail_after(5):
            await change(one)


async def test_a_process_that_is_killed_is_missed_within_seconds_by_the_databases_clock(process: Opened) -> None:
    dead, other = process(), process()
    sent = await begun(dead)
    renewing = dead._renewing  # pyright: ignore[reportPrivateUsage]
    assert renewing is not None
    renewing.cancel()
    assert (await got(other, sent)).state == "sent"
    with anyio.fail_after(15):
        while not await other.take(sent):  # noqa: ASYNC110 - real time, on the database's clock
            await anyio.sleep(0.25)


async def test_a_clean_end_lets_go_at_once_and_leaves_nothing(process: Opened, server: Postgres, address: str) -> None:
    one, other = process(), process()
    sent = await begun(one)
    await one.aclose()
    assert await other.take(sent)
    await other.aclose()
    assert server.execute(name_of(address), "SELECT FROM quantinal.workers") == []

    def is_left() -> bool:
        query = f"SELECT FROM pg_stat_activity WHERE datname = '{name_of(address)}' AND pid != pg_backend_pid()"
        return not server.execute("postgres", query)

    await until(is_left)


async def test_few_connections_serve_many_at_once(process: Opened, server: Postgres, address: str) -> None:
    journal = process()
    await gather(*[lambda: begun(journal, reserved=0.0)] * 60)
    query = f"SELECT FROM pg_stat_activity WHERE datname = '{name_of(address)}'"
    assert len(server.execute("postgres", query)) <= 5
    assert len(await journal.of(ACCOUNT, TRACKER)) == 60
