"""What only a database can do to a journal: restart, hang, cut a commit in two, and be shared by machines."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import anyio
import pytest
from anyio.abc import ByteStream, SocketAttribute

from help.callers import gather
from help.journals import ACCOUNT, TODAY, TRACKER, begun, changing, die, expire, got, intent
from help.over_http import until
from help.pooler import pooler
from help.postgres import PASSWORD, QUOTED, Postgres, free_port, postgres
from quantinal_mcp.errors import Misconfigured
from quantinal_mcp.journal.migrations import VERSION
from quantinal_mcp.journal.postgres import PostgresJournal

pytestmark = [pytest.mark.anyio, pytest.mark.fleet]

Opened = Callable[[], PostgresJournal]


@pytest.fixture
def address(server: Postgres) -> str:
    return server.database()


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


class Line:
    """The way to the database, which can be cut at the moment of a commit, or lead nowhere."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.cuts: str | None = None
        """`before` or `after` the next commit that writes."""
        self.swallows = False

    @asynccontextmanager
    async def laid(self) -> AsyncGenerator[int]:
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
        async with listener, anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, self._carry)
            yield listener.extra(SocketAttribute.local_port)  # noqa: S610
            tasks.cancel_scope.cancel()

    async def _carry(self, client: ByteStream) -> None:
        server = await anyio.connect_tcp("127.0.0.1", self._port)
        async with client, server, anyio.create_task_group() as tasks:

            async def back() -> None:
                async for chunk in server:
                    if self.cuts == "now":
                        self.cuts = None
                        break
                    await client.send(chunk)
                tasks.cancel_scope.cancel()

            tasks.start_soon(back)
            wrote = False
            async for chunk in client:
                if self.swallows:
                    continue
                wrote = wrote or b"INSERT INTO intents" in chunk or b"UPDATE intents" in chunk
                if wrote and self.cuts is not None and b"COMMIT" in chunk:
                    if self.cuts == "before":
                        self.cuts = None
                        break
                    self.cuts = "now"
                await server.send(chunk)
            tasks.cancel_scope.cancel()


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


@pytest.mark.parametrize("wrong", ["password", "port", "database", "host"])
async def test_no_error_tells_the_password(server: Postgres, wrong: str, caplog: pytest.LogCaptureFixture) -> None:
    address = server.database()
    if wrong == "password":
        address = address.replace(QUOTED, f"{QUOTED}x")
    elif wrong == "port":
        address = address.replace(f":{server.port}/", f":{free_port()}/")
    elif wrong == "database":
        address += "x"
    else:
        address = address.replace("127.0.0.1", "nowhere.invalid")
    caplog.set_level(logging.DEBUG)
    journal = PostgresJournal(address)
    with anyio.fail_after(5), pytest.raises(Misconfigured) as refused:
        await begun(journal)
    told = f"{refused.value!r} {refused.value} {refused.value.__cause__!r} {caplog.text} {journal!r} {journal.shown}"
    for secret in (PASSWORD, QUOTED, "battery"):
        assert secret not in told
    assert "@" not in str(refused.value)
    assert "/d" in str(refused.value)
    await journal.aclose()


async def test_without_its_database_everything_is_refused_in_time_and_with_it_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with postgres() as own:
        journal = PostgresJournal(own.database())
        one = await begun(journal)
        own.stop()
        for _ in range(3):
            with anyio.fail_after(5), pytest.raises(Misconfigured, match=r"127\.0\.0\.1"):
                await begun(journal)
        with anyio.fail_after(5), pytest.raises(Misconfigured):
            await journal.of(ACCOUNT, TRACKER)
        with anyio.fail_after(5), pytest.raises(Misconfigured):
            async with journal.exclusive(ACCOUNT, TRACKER):
                pytest.fail("nobody knows who else changes it")
        own.start()
        with anyio.fail_after(10):
            while True:
                try:
                    await begun(journal)
                    break
                except Misconfigured:
                    await anyio.sleep(0.1)
        assert (await got(journal, one)).owner == journal.worker
        async with journal.exclusive(ACCOUNT, TRACKER):
            pass
        await journal.aclose()
    assert PASSWORD not in caplog.text


async def test_a_restart_of_a_second_is_not_noticed() -> None:
    with postgres() as own:
        journal = PostgresJournal(own.database())
        await begun(journal)
        own.stop()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(begun, journal)
            await anyio.sleep(0.3)
            await anyio.to_thread.run_sync(own.start)
        assert len(await journal.of(ACCOUNT, TRACKER)) == 2
        await journal.aclose()


async def test_a_database_that_does_not_answer_is_given_up_in_time(server: Postgres, address: str) -> None:
    line = Line(server.port)
    async with line.laid() as port:
        journal = PostgresJournal(address.replace(f":{server.port}/", f":{port}/"))
        await begun(journal)
        line.swallows = True
        with anyio.fail_after(5), pytest.raises(Misconfigured, match="no answer in time"):
            await begun(journal)
        line.swallows = False
        await anyio.sleep(2.1)
        await begun(journal)
        await journal.aclose()


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


async def test_a_pooler_in_transaction_mode_may_sit_between(server: Postgres, address: str) -> None:
    with pooler(server) as port:
        journals = [PostgresJournal(address.replace(f":{server.port}/", f":{port}/")) for _ in range(6)]

        async def work(journal: PostgresJournal, number: int) -> None:
            for turn in range(5):
                async with journal.exclusive(ACCOUNT, TRACKER):
                    one = await begun(journal, reserved=0.01)
                assert await journal.claim(one, f"run_{number}_{turn}", "certain")
                assert await journal.move(one, answered_at=journal.now(), owner=None)
                await journal.settle(ACCOUNT, {f"run_{number}_{turn}": (0.02, True)})

        await gather(*[lambda one=one, number=number: work(one, number) for number, one in enumerate(journals)])
        assert sum(await gather(*[lambda one=one: one.spend("yes") for one in journals])) == 1
        kept = await journals[0].of(ACCOUNT, TRACKER)
        assert len(kept) == 30
        assert {one.charged for one in kept} == {0.02}
        for journal in journals:
            await journal.aclose()
