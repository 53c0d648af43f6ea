"""Runs that the service has named and does not show yet: they are not there, and not lost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from help.callers import EPOCH, connected, shared_memory
from help.eras import Mode, both_eras
from help.inside import GET_RUN, POST
from help.journals import sharing
from help.seeded import RUN, TESLA, steer
from quantinal_mcp.errors import Misconfigured
from quantinal_mcp.journal.records import Intent
from quantinal_mcp.journal.sqlite import SqliteJournal
from quantinal_mcp.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio


def unseen(times: int | None) -> Fault:
    return Fault("GET", GET_RUN, "status", times, code=404, body='{"detail": "Run not found"}')


@both_eras
async def test_a_trigger_waits_on_for_a_run_that_is_not_shown_yet(mode: Mode) -> None:
    sandbox = Sandbox()
    async with connected(sandbox, mode) as caller:
        sandbox.faults.add(unseen(3))
        run = await caller.trigger(sync=True, wait_seconds=45, context=steer(30))
        assert (run["status"], caller.posts) == ("completed", 1)


@pytest.mark.parametrize("waiting", [0, 1], ids=["the process that triggered it", "another one"])
async def test_a_wait_for_it_goes_on(tmp_path: Path, waiting: int) -> None:
    sandbox, store = Sandbox(), shared_memory()
    journals = [sharing(store, tmp_path, lambda: EPOCH + anyio.current_time()) for _ in range(2)]
    async with connected(sandbox, journal=journals[0]) as one, connected(sandbox, journal=journals[1]) as other:
        sandbox.faults.add(unseen(3))
        begun = await one.trigger(sync=False, context=steer(30))
        run = await (one, other)[waiting].call("wait_for_run", tracker_id=TESLA, run_id=begun["run_id"])
        assert run["status"] == "completed"


@pytest.mark.parametrize("waiting", [0, 1], ids=["the process that triggered it", "another one"])
async def test_for_two_minutes_a_wait_says_that_it_is_pending(tmp_path: Path, waiting: int) -> None:
    sandbox, store = Sandbox(), shared_memory()
    journals = [sharing(store, tmp_path, lambda: EPOCH + anyio.current_time()) for _ in range(2)]
    async with connected(sandbox, journal=journals[0]) as one, connected(sandbox, journal=journals[1]) as other:
        sandbox.faults.add(unseen(None))
        begun = await one.trigger(sync=False, context=steer(30))
        where = {"tracker_id": TESLA, "run_id": begun["run_id"]}
        waits = (one, other)[waiting]
        for _ in range(5):
            run = await waits.call("wait_for_run", **where, wait_seconds=20)
            assert (run["run_id"], run["status"]) == (begun["run_id"], "pending")
            assert "wait_for_run" in run["next_step"]
        await anyio.sleep(25)
        assert begun["run_id"] in await waits.fails("wait_for_run", "not_found", **where)


@pytest.mark.parametrize("body", ["<html>Not found</html>", '{"detail": "Tracker not found"}'])
async def test_what_else_is_not_found_is_told_at_once(body: str) -> None:
    sandbox = Sandbox()
    async with connected(sandbox) as caller:
        run = await caller.trigger(sync=False, context=steer(30))
        sandbox.faults.add(replace(unseen(None), body=body))
        begun = anyio.current_time()
        await caller.fails("wait_for_run", "not_found", tracker_id=TESLA, run_id=run["run_id"])
        assert anyio.current_time() - begun < 5


async def test_a_trigger_does_not_take_a_run_for_deleted_that_is_not_shown_each_time() -> None:
    sandbox = Sandbox()
    sandbox.faults.add(Fault("POST", POST, "act_then_status", code=504, body="<html>"), replace(unseen(1), skip=1))
    async with connected(sandbox) as caller:
        run = await caller.trigger(sync=True, wait_seconds=45, context=steer(30))
        assert run["status"] in ("pending", "running")
        assert (caller.posts, caller.created) == (1, 1)


async def test_where_the_journal_cannot_tell_whether_it_is_new_a_wait_says_so() -> None:
    class Ailing(SqliteJournal):
        ails = False

        async def of(self, account: str, tracker_id: str) -> list[Intent]:
            if self.ails:
                raise Misconfigured("The journal cannot be read.")
            return await super().of(account, tracker_id)

    sandbox, journal = Sandbox(), Ailing(now=lambda: EPOCH + anyio.current_time())
    async with connected(sandbox, journal=journal) as caller, connected(sandbox, journal=journal) as another:
        run = await caller.trigger(sync=False, context=steer(30))
        sandbox.faults.add(unseen(None))
        journal.ails = True
        where = {"tracker_id": TESLA, "run_id": run["run_id"]}
        await another.fails("wait_for_run", "misconfigured", **where)
        journal.ails = False
        assert (await another.call("wait_for_run", **where, wait_seconds=1))["status"] == "pending"


async def test_a_run_that_nobody_here_triggered_is_not_found_at_once() -> None:
    sandbox = Sandbox()
    async with connected(sandbox) as caller:
        await caller.trigger(sync=False, context=steer(30))
        begun = anyio.current_time()
        await caller.fails("wait_for_run", "not_found", tracker_id=TESLA, run_id=RUN[:-1] + "0")
        assert anyio.current_time() - begun < 1


@pytest.mark.parametrize("sync", [False, True])
async def test_a_new_run_that_was_deleted_here_is_not_waited_for(sync: bool) -> None:
    sandbox = Sandbox()
    async with connected(sandbox) as caller:
        begun = await caller.trigger(sync=sync, context=steer(5))
        where = {"tracker_id": TESLA, "run_id": begun["run_id"]}
        await caller.call("delete_run", **where, confirm=True)
        await caller.fails("wait_for_run", "not_found", **where)


async def test_a_new_run_that_was_shown_and_is_gone_was_deleted() -> None:
    sandbox = Sandbox()
    async with connected(sandbox) as caller:
        begun = await caller.trigger(sync=False, context=steer(90))
        where = {"tracker_id": TESLA, "run_id": begun["run_id"]}
        assert (await caller.call("wait_for_run", **where, wait_seconds=10))["status"] == "running"
        sandbox.faults.add(unseen(None))
        await caller.fails("wait_for_run", "not_found", **where)
