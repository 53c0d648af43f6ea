"""Callers who gave up: the next one gets their run instead of paying for another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from help.callers import EPOCH, Caller, connected, gather, shared_memory
from help.eras import Mode, both_eras
from help.journals import sharing
from help.seeded import TESLA, steer
from quantinal_mcp.journal.records import Intent
from quantinal_mcp.journal.sqlite import SqliteJournal
from quantinal_mcp.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio

POST = r"/runs$"
STEER = steer(20)


async def give_up(caller: Caller, after: float, **arguments: Any) -> None:
    """Trigger, and cancel the call after some seconds."""
    with anyio.move_on_after(after):
        await caller.trigger(**arguments)
        pytest.fail("the call was answered before it was given up")
    await anyio.sleep(0.01)


@both_eras
@pytest.mark.parametrize("after", [0.5, 5, 15])
async def test_the_next_trigger_returns_the_orphaned_run_and_again_starts_another(mode: str, after: float) -> None:
    sandbox = Sandbox(sync_limit=10)
    async with connected(sandbox, mode=mode) as caller:
        await give_up(caller, after, sync=True, context=STEER)
        run = await caller.trigger(sync=True)
        assert (run["status"], caller.posts, caller.created) == ("completed", 1, 1)
        assert run["note"].startswith(
            "NO NEW RUN was started or charged: this is the one of an earlier trigger_run, at 20"
        )
        assert "again=true starts another" in run["note"]
        assert "context" not in run["note"]
        assert run["cost"]["charged_quants"] == 0.02
        another = await caller.trigger(sync=True, again=True)
        assert another["run_id"] != run["run_id"]
        assert (caller.posts, caller.created) == (2, 2)


@both_eras
async def test_a_repeat_with_a_context_of_its_own_is_told_that_it_was_not_used(mode: str) -> None:
    async with connected(Sandbox(), mode=mode) as caller:
        assert "context" not in (await caller.trigger(context={"note": "first"})).get("note", "")
        repeated = await caller.trigger(context={"note": "second"})
    assert repeated["note"].endswith("again=true starts another. This call's context was not used.")


async def test_an_async_trigger_that_was_cancelled_in_flight_is_remembered_too() -> None:
    sandbox = Sandbox()
    sandbox.faults.add(Fault("POST", POST, "hang_after", seconds=3))
    async with connected(sandbox) as caller:
        await give_up(caller, 1, context=STEER)
        run = await caller.trigger()
        assert (run["status"], caller.posts, caller.created) == ("running", 1, 1)


async def test_several_orphans_are_handed_out_one_to_each_caller() -> None:
    sandbox = Sandbox(sync_limit=10)
    async with connected(sandbox) as caller:
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(lambda: give_up(caller, 5, sync=True, context=STEER, again=True))
        runs = await gather(*[lambda: caller.trigger(sync=True)] * 3)
        assert len({run["run_id"] for run in runs}) == 3
        assert (caller.posts, caller.created) == (3, 3)
        assert all("note" in run for run in runs)
        assert "note" not in await caller.trigger(again=True)


async def test_a_caller_who_gives_up_on_an_orphan_leaves_it_to_the_next() -> None:
    sandbox = Sandbox(sync_limit=10)
    async with connected(sandbox) as caller:
        await give_up(caller, 5, sync=True, context=STEER)
        await give_up(caller, 5, sync=True)
        run = await caller.trigger(sync=True)
        assert (run["status"], caller.posts, caller.created) == ("completed", 1, 1)


async def test_an_orphan_whose_trigger_was_never_executed_does_not_stand_in_the_way_for_ever() -> None:
    sandbox = Sandbox()
    sandbox.faults.add(Fault("POST", POST, "drop_before"))
    async with connected(sandbox, wait_seconds=20) as caller:
        with anyio.move_on_after(2):
            await caller.trigger(sync=True)
        assert (await caller.error("trigger_run", tracker_id=TESLA, sync=True)).startswith("[outcome_unknown]")
        run = await caller.trigger(sync=True)
        assert (run["status"], caller.posts, caller.created) == ("completed", 2, 1)


async def test_a_trigger_that_was_refused_after_its_caller_left_is_forgotten() -> None:
    sandbox = Sandbox()
    sandbox.faults.add(Fault("POST", POST, "status", code=429, headers={"Retry-After": "5"}))
    async with connected(sandbox) as caller:
        await give_up(caller, 1, sync=True)
        await anyio.sleep(10)
        assert "note" not in await caller.trigger()
        assert (caller.posts, caller.created) == (2, 1)


@pytest.mark.patient
@both_eras
@pytest.mark.parametrize("sync", [True, False])
@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "code": 429, "headers": {"Retry-After": "8"}, "body": '{"detail": "Slow down"}', "times": 1},
        {"kind": "refuse", "times": 4},
    ],
    ids=["429", "no connection"],
)
async def test_what_the_service_did_not_take_is_not_sent_again_for_a_caller_who_left(
    mode: Mode, sync: bool, fault: dict[str, Any]
) -> None:
    sandbox = Sandbox()
    sandbox.faults.add(Fault("POST", POST, **fault))
    async with connected(sandbox, mode) as caller:
        with anyio.move_on_after(0.2):
            await caller.trigger(sync=sync)
        await anyio.sleep(60)
        assert (caller.created, sandbox.charged()) == (0, 0)
        sandbox.faults.clear()
        assert "note" not in await caller.trigger(sync=sync, context=steer(1))
        assert caller.created == 1


@both_eras
@pytest.mark.parametrize("sync", [True, False])
async def test_what_the_service_did_not_take_is_sent_anew_by_the_next_call_and_is_not_an_unknown_outcome(
    mode: Mode, sync: bool
) -> None:
    sandbox = Sandbox()
    later, body = {"Retry-After": "15"}, '{"detail": "Slow down"}'
    sandbox.faults.add(Fault("POST", POST, "status", times=1, code=429, headers=later, body=body))
    async with connected(sandbox, mode) as caller:
        await give_up(caller, 1, sync=sync)
        assert "note" not in await caller.trigger(sync=sync, context=steer(1))
        await anyio.sleep(60)
        assert (caller.posts, caller.created) == (2, 1)


@pytest.mark.parametrize("gone_after", [0.05, 0.5])
async def test_what_the_service_did_not_take_is_not_sent_again_for_one_who_agreed_to_less(gone_after: float) -> None:
    sandbox = Sandbox()
    later, body = {"Retry-After": "1"}, '{"detail": "Slow down"}'
    sandbox.faults.add(Fault("POST", POST, "status", times=1, code=429, headers=later, body=body))
    async with connected(sandbox) as caller:
        with anyio.move_on_after(gone_after):
            await caller.trigger(sync=True, max_quants=1)
        await caller.fails("trigger_run", "needs_consent", tracker_id=TESLA, sync=True, max_quants=0.001)
        assert (caller.posts, caller.created) == (1, 0)


@pytest.mark.parametrize("gone_after", [1.1 + fifth / 5 for fifth in range(10)])
async def test_nor_where_the_one_who_agreed_leaves_while_the_journal_is_read_before_it_is_sent_again(
    gone_after: float,
) -> None:
    class Slow(SqliteJournal):
        is_slow = False

        async def get(self, intent_id: str) -> Intent | None:
            if self.is_slow:
                await anyio.sleep(1.5)
            return await super().get(intent_id)

    sandbox, journal = Sandbox(), Slow(now=lambda: EPOCH + anyio.current_time())
    later, body = {"Retry-After": "1"}, '{"detail": "Slow down"}'
    sandbox.faults.add(Fault("POST", POST, "status", times=1, code=429, headers=later, body=body))
    async with connected(sandbox, journal=journal) as caller:
        with anyio.move_on_after(gone_after):

            async def slows() -> None:
                await anyio.sleep(1)
                journal.is_slow = True

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(slows)
                await caller.trigger(sync=True, max_quants=1)
        journal.is_slow = False
        await caller.fails("trigger_run", "needs_consent", tracker_id=TESLA, sync=True, max_quants=0.001)
        assert (caller.posts, caller.created) == (1, 0)


@pytest.mark.patient
@pytest.mark.parametrize("then", [None, "drop_after", "hang_after"])
@pytest.mark.parametrize("gone_after", [half / 2 for half in range(12)])
async def test_whenever_a_caller_leaves_another_process_gets_the_one_run(
    tmp_path: Path, then: Any, gone_after: float
) -> None:
    """Before the pause that a 429 asks for, in it, and when it is sent again, and its answer is lost or late."""
    sandbox, store = Sandbox(sync_limit=3), shared_memory()
    journals = [sharing(store, tmp_path, lambda: EPOCH + anyio.current_time()) for _ in range(2)]
    limited = Fault("POST", POST, "status", code=429, headers={"Retry-After": "4"}, body='{"detail": "Slow down"}')
    sandbox.faults.add(limited, *([Fault("POST", POST, then, seconds=4)] if then else []))
    async with connected(sandbox, journal=journals[0]) as one, connected(sandbox, journal=journals[1]) as other:
        with anyio.move_on_after(gone_after):
            await one.trigger(sync=True, context=steer(6))
        run = await other.trigger(sync=True, wait_seconds=60)
        assert (run["status"], other.created) == ("completed", 1)
        await anyio.sleep(60)
        assert other.created == 1


async def test_a_call_cancelled_before_anything_was_sent_leaves_nothing_behind() -> None:
    sandbox = Sandbox()
    sandbox.faults.add(Fault("GET", r"/trackers/[^/]+$", "hang_before", seconds=5))
    async with connected(sandbox) as caller:
        await give_up(caller, 1)
        assert "note" not in await caller.trigger()
        assert (caller.posts, caller.created) == (1, 1)


async def test_an_orphan_is_kept_for_a_day() -> None:
    sandbox = Sandbox(sync_limit=10)
    async with connected(sandbox) as caller:
        await give_up(caller, 5, sync=True, context=STEER)
        await anyio.sleep(23 * 3600)
        assert "note" in await caller.trigger()
        assert caller.posts == 1


async def test_an_orphan_is_forgotten_after_a_day() -> None:
    sandbox = Sandbox(sync_limit=10)
    async with connected(sandbox) as caller:
        await give_up(caller, 5, sync=True, context=STEER)
        await anyio.sleep(25 * 3600)
        assert "note" not in await caller.trigger()
        assert caller.posts == 2


async def test_another_tracker_is_not_concerned() -> None:
    sandbox = Sandbox(sync_limit=10)
    async with connected(sandbox) as caller:
        await give_up(caller, 5, sync=True, context=STEER)
        spaces = await caller.call("list_spaces")
        listed = await caller.call("list_trackers", space_id=spaces["data"][0]["space_id"])
        other = next(
            tracker["tracker_id"]
            for tracker in listed["data"]
            if tracker["tracker_id"] != TESLA and tracker["agent_config"]["reasoning_mode"] == "basic"
        )
        run = await caller.call("trigger_run", tracker_id=other, max_quants=1)
        assert "note" not in run
        assert caller.posts == 2


async def test_cancelling_is_immediate_and_the_run_goes_on() -> None:
    sandbox = Sandbox(sync_limit=1000)
    async with connected(sandbox) as caller:
        started = anyio.current_time()
        await give_up(caller, 5, sync=True, context=STEER)
        assert anyio.current_time() - started == pytest.approx(5, abs=0.1)
        await anyio.sleep(30)
        assert [run["status"] for run in sandbox.runs() if run["internal"]["origin"] == "api"] == ["completed"]
