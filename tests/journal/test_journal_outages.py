"""A database that restarts, hangs, is gone, or lies behind a pooler; and no error tells its password."""

from __future__ import annotations

import logging

import anyio
import pytest

from help.callers import gather
from help.journals import ACCOUNT, TRACKER, begun, got
from help.pooler import pooler
from help.postgres import PASSWORD, QUOTED, Line, Postgres, free_port, postgres
from quantinal_mcp.errors import Misconfigured
from quantinal_mcp.journal.postgres import PostgresJournal

pytestmark = [pytest.mark.anyio, pytest.mark.fleet]


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
