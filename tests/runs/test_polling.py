"""How often the service is asked after runs that somebody waits for, and that nobody else is kept waiting."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from help.callers import Caller, connected, gather
from help.inside import GET_RUN
from help.seeded import NEW, TESLA, steer
from quantinal_mcp.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio


async def see_the_end(caller: Caller, run_id: str, wait_seconds: float) -> None:
    """Wait as a model does: call after call."""
    while (await caller.call("wait_for_run", tracker_id=TESLA, run_id=run_id, wait_seconds=wait_seconds))[
        "status"
    ] not in ("completed", "failed"):
        pass


@pytest.mark.patient
@pytest.mark.parametrize("wait_seconds", [45, 300])
@pytest.mark.parametrize("sync", [True, False])
@pytest.mark.parametrize("seconds", [1, 30, 300, 2400])
async def test_an_end_is_noticed_soon_and_a_long_run_costs_tens_of_requests(
    seconds: float, sync: bool, wait_seconds: float
) -> None:
    sandbox = Sandbox(sync_limit=1e9, time_scale=1, pending_seconds=0)
    async with connected(sandbox) as caller:
        started = anyio.current_time()
        run = await caller.trigger(sync=sync, wait_seconds=wait_seconds, context=steer(seconds))
        await see_the_end(caller, run["run_id"], wait_seconds)
        late = anyio.current_time() - started - seconds
        assert 0 <= late <= max(2, 0.1 * seconds) + 0.1
        assert len(sandbox.requests) < 70


async def test_a_long_first_run_of_a_tracker_costs_tens_of_requests_too() -> None:
    sandbox = Sandbox(pending_seconds=0)
    async with connected(sandbox) as caller:
        tracker_id = (await caller.call("create_tracker", **NEW))["tracker_id"]
        own = sandbox.begin_run(tracker_id, "manual")
        before = len(sandbox.requests)
        for _ in range(20):
            await caller.call("wait_for_run", tracker_id=tracker_id, run_id=own["run_id"], wait_seconds=0.1)
        assert len(sandbox.requests) - before <= 4


async def test_waits_for_the_same_run_share_one_poller() -> None:
    sandbox = Sandbox(sync_limit=1e9)
    async with connected(sandbox) as caller:
        run = await caller.trigger(context=steer(40))
        await gather(*[lambda: see_the_end(caller, run["run_id"], 100)] * 10)
        alone = Sandbox(sync_limit=1e9)
        async with connected(alone) as other:
            run = await other.trigger(context=steer(40))
            await see_the_end(other, run["run_id"], 100)
        assert sandbox.count("GET", GET_RUN) == alone.count("GET", GET_RUN)


@pytest.mark.patient
async def test_however_many_runs_are_waited_for_the_service_is_asked_150_times_a_minute() -> None:
    sandbox = Sandbox(rate_limits=False, pending_seconds=0, balance=1e6)
    async with connected(sandbox) as caller:
        runs = [(await caller.trigger(again=True, context=steer(3600)))["run_id"] for _ in range(60)]
        before = sandbox.count("GET", GET_RUN)
        await gather(
            *[
                lambda run_id=run_id: caller("wait_for_run", tracker_id=TESLA, run_id=run_id, wait_seconds=60)
                for run_id in runs
            ]
        )
        asked = sandbox.count("GET", GET_RUN) - before
    assert 100 <= asked <= 150


async def test_the_one_who_polls_may_leave_and_the_others_go_on() -> None:
    sandbox = Sandbox(sync_limit=1e9)
    async with connected(sandbox) as caller:
        run = await caller.trigger(context=steer(30))

        started = anyio.current_time()

        async def leave() -> None:
            with anyio.move_on_after(5):
                await see_the_end(caller, run["run_id"], 100)

        await gather(leave, lambda: see_the_end(caller, run["run_id"], 100))
        assert anyio.current_time() - started < 35


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "code": 503},
        {"kind": "status", "code": 429},
        {"kind": "drop_before"},
        {"kind": "act_then_status", "code": 200, "body": "<html>"},
    ],
    ids=str,
)
async def test_a_failing_poll_does_not_end_the_wait(fault: dict[str, Any]) -> None:
    sandbox = Sandbox(sync_limit=3)
    sandbox.faults.add(Fault("GET", GET_RUN, times=6, skip=1, **fault))
    async with connected(sandbox) as caller:
        run = await caller.trigger(sync=True, context=steer(25))
        assert (run["status"], caller.posts) == ("completed", 1)


async def test_retry_after_keeps_the_poller_away() -> None:
    sandbox = Sandbox()
    async with connected(sandbox) as caller:
        run = await caller.trigger(context=steer(1))
        sandbox.faults.add(Fault("GET", GET_RUN, "status", code=429, headers={"Retry-After": "40"}))
        started = anyio.current_time()
        await see_the_end(caller, run["run_id"], 100)
        assert anyio.current_time() - started >= 40
        assert sandbox.count("GET", GET_RUN) == 2


@pytest.mark.patient
async def test_a_quick_call_is_not_kept_waiting_by_all_the_waits_and_triggers_that_there_may_be() -> None:
    sandbox = Sandbox(sync_limit=1e9)
    async with connected(sandbox) as caller:
        run = await caller.trigger(context=steer(100))
        async with anyio.create_task_group() as tasks:
            for _ in range(16):
                tasks.start_soon(lambda: caller.trigger(sync=True, again=True, wait_seconds=200, context=steer(100)))
                tasks.start_soon(lambda: see_the_end(caller, run["run_id"], 40))
            await anyio.sleep(60)
            assert (caller.posts, caller.created) == (17, 17)
            started = anyio.current_time()
            await caller.call("get_tracker", tracker_id=TESLA)
            assert anyio.current_time() == started
