"""Runs that cannot be read, for a while or any more: they are told by their ids, and not paid for again."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from help.callers import connected, tracker_of
from help.eras import Mode, both_eras
from help.inside import GET_RUN
from help.seeded import TESLA, steer
from quantinal_mcp.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio


async def test_a_run_that_this_token_may_not_read_any_more_is_an_error_and_the_next_calls_run() -> None:
    sandbox = Sandbox()
    async with connected(sandbox) as caller:
        sandbox.faults.add(Fault("POST", r"/runs$", "drop_after"))
        sandbox.faults.add(Fault("GET", GET_RUN, "status", None, code=401))
        await caller.fails("trigger_run", "unauthorized", tracker_id=TESLA, sync=True, context=steer(5))
        sandbox.faults.clear()
        assert "NO NEW RUN" in (await caller.trigger(sync=True))["note"]
        assert (caller.posts, caller.created) == (1, 1)


@both_eras
@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "hang_before", "seconds": 100},
        {"kind": "status", "code": 503},
        {"kind": "status", "code": 404, "body": '{"detail": "Run not found"}'},
    ],
    ids=["slow", "failing", "not there yet"],
)
@pytest.mark.parametrize("lost", [True, False])
async def test_a_run_that_cannot_be_read_is_told_by_its_id_and_how_to_go_on(
    mode: Mode, lost: bool, fault: dict[str, Any]
) -> None:
    sandbox = Sandbox(sync_limit=2 if lost else 1e9)
    sandbox.faults.add(Fault("GET", GET_RUN, times=None, **fault))
    async with connected(sandbox, mode) as caller:
        if not lost:
            with anyio.move_on_after(1):
                await caller.trigger(sync=True, context=steer(100))
        started = anyio.current_time()
        run = await caller.trigger(sync=True, wait_seconds=10, context=steer(100))
        assert anyio.current_time() - started <= 21
        assert run["run_id"] in [run["run_id"] for run in sandbox.runs()]
        assert "wait_for_run" in run["next_step"]
        assert (caller.posts, caller.created) == (1, 1)


@both_eras
async def test_a_run_that_was_deleted_before_its_caller_learnt_it_does_not_stand_in_the_way_for_a_day(
    mode: Mode,
) -> None:
    sandbox = Sandbox(sync_limit=2)
    async with connected(sandbox, mode) as caller:
        with anyio.move_on_after(5):
            await caller.trigger(sync=True, context=steer(100))
        await anyio.sleep(300)
        (run,) = [run["run_id"] for run in sandbox.runs() if run["internal"]["origin"] == "api"]
        del tracker_of(sandbox).runs[run]
        text = await caller.fails("trigger_run", "not_found", tracker_id=TESLA)
        assert run in text
        assert "call trigger_run with again=true" in text
        assert caller.posts == 1
        await anyio.sleep(200)
        assert (await caller.trigger())["run_id"] != run
        assert caller.posts == 2


@both_eras
async def test_a_run_that_a_gateway_does_not_find_is_not_taken_for_deleted(mode: Mode) -> None:
    sandbox = Sandbox(sync_limit=2)
    async with connected(sandbox, mode) as caller:
        with anyio.move_on_after(5):
            await caller.trigger(sync=True, context=steer(100))
        await anyio.sleep(300)
        sandbox.faults.add(Fault("GET", GET_RUN, "status", code=404, body="<html>Not found</html>", times=None))
        told = await caller.trigger()
        assert told["run_id"] in {run["run_id"] for run in sandbox.runs() if run["internal"]["origin"] == "api"}
        assert "wait_for_run" in told["next_step"]
        assert caller.posts == 1
