"""Repeats without a cancel: a run that was not told is told and not paid again, whatever changed meanwhile."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from help.callers import Questions, connected, gather
from help.eras import Mode, both_eras
from help.journals import DAY, Clock, memory
from help.seeded import CALLS, QUICK, SEMIS, TESLA, lines_of, steer
from quantinal_mcp.money.budget import Budget
from quantinal_mcp.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio

LONG = steer(400)


@both_eras
@pytest.mark.parametrize("sync", [True, False])
async def test_a_repeat_of_a_call_whose_answer_was_not_read_pays_nothing(mode: Mode, sync: bool) -> None:
    async with connected(Sandbox(), mode) as caller:
        first = await caller.trigger(sync=sync, context=QUICK)
        repeats: list[Any] = []
        for _ in range(3):
            await anyio.sleep(25)
            repeats.append(await caller.trigger(sync=sync, context=QUICK))
        assert {run["run_id"] for run in repeats} == {first["run_id"]}
        assert all(run["status"] == "completed" for run in repeats)
        assert all("NO NEW RUN was started or charged" in run["note"] for run in repeats)
        assert (caller.posts, caller.created) == (1, 1)


async def test_a_run_that_a_later_call_named_was_read_and_the_next_trigger_starts_another() -> None:
    async with connected(Sandbox()) as caller:
        first = await caller.trigger(context=QUICK)
        await caller.call("wait_for_run", tracker_id=TESLA, run_id=first["run_id"])
        second = await caller.trigger(context=QUICK)
        assert second["run_id"] != first["run_id"]
        assert (caller.posts, caller.created) == (2, 2)


CHANGED: dict[str, dict[str, Any]] = {
    "context": {"context": {"notes": "other ones"}},
    "sync": {"sync": True},
    "wait": {"sync": True, "wait_seconds": 0},
    "max_quants": {"max_quants": 0},
}


@both_eras
@pytest.mark.parametrize("seconds", [1, 400], ids=["ended", "going on"])
@pytest.mark.parametrize("changed", CHANGED.values(), ids=CHANGED)
async def test_a_repeat_with_other_arguments_pays_nothing_either(
    mode: Mode, seconds: float, changed: dict[str, Any]
) -> None:
    async with connected(Sandbox(), mode) as caller:
        first = await caller.trigger(context=steer(seconds))
        await anyio.sleep(5)
        told = await caller.trigger(**changed)
        assert told["run_id"] == first["run_id"]
        assert "NO NEW RUN was started or charged" in told["note"]
        assert caller.posts == 1


@both_eras
async def test_a_repeat_after_the_tracker_was_changed_pays_nothing_and_asks_nobody(mode: Mode) -> None:
    user = Questions()
    async with connected(Sandbox(), mode, user=user) as caller:
        first = await caller.trigger(context=QUICK)
        await caller.call("update_tracker", tracker_id=TESLA, agent_config={"reasoning_mode": "super"})
        assert (await caller.trigger())["run_id"] == first["run_id"]
        assert (caller.posts, user.asked) == (1, [])
        await caller.trigger(again=True)
        assert (caller.posts, len(user.asked)) == (2, 1)


@both_eras
async def test_a_tracker_that_was_deleted_and_made_anew_is_another_one(mode: Mode) -> None:
    async with connected(Sandbox(), mode) as caller:
        first = await caller.trigger(context=QUICK)
        await caller.call("delete_tracker", **CALLS["delete_tracker"])
        assert (await caller.trigger())["run_id"] == first["run_id"]
        made = await caller.call("create_tracker", **lines_of(name="Tesla Sentiment"))
        assert "note" not in await caller.call("trigger_run", tracker_id=made["tracker_id"])
        await anyio.sleep(150)
        assert "Nothing was sent" in await caller.fails("trigger_run", "not_found", tracker_id=TESLA)
        assert (caller.posts, caller.created) == (2, 1)


@both_eras
@pytest.mark.parametrize("step", [-3 * DAY, -3600.0, 3600.0, 0.9 * DAY])
async def test_a_clock_that_is_set_while_a_trigger_waits_loses_nothing_of_it(mode: Mode, step: float) -> None:
    sandbox, clock = Sandbox(sync_limit=1e9), Clock()
    async with connected(sandbox, mode, journal=memory(clock), budget_quants=Budget(0.1, "month")) as caller:
        with anyio.move_on_after(3):
            await caller.trigger(sync=True, context=steer(20))
        clock.now += step
        await anyio.sleep(60)
        told = await caller.trigger()
        assert told["status"] == "completed"
        assert told["cost"]["budget_left"] == pytest.approx(0.08)
        assert caller.posts == 1


@both_eras
async def test_a_run_that_others_named_before_its_caller_was_answered_was_not_learnt_by_that(mode: Mode) -> None:
    sandbox = Sandbox(sync_limit=1e9)
    async with connected(sandbox, mode) as caller:

        async def look() -> Any:
            await anyio.sleep(5)
            (run,) = [run["run_id"] for run in sandbox.runs() if run["internal"]["origin"] == "api"]
            return await caller.call("get_run", tracker_id=TESLA, run_id=run)

        first, _ = await gather(lambda: caller.trigger(sync=True, context=steer(20)), look)
        assert (await caller.trigger(sync=True, context=steer(20)))["run_id"] == first["run_id"]
        assert caller.posts == 1


async def test_two_minutes_after_an_answer_a_trigger_starts_another_run() -> None:
    async with connected(Sandbox()) as caller:
        first = await caller.trigger(context=QUICK)
        await anyio.sleep(119)
        assert (await caller.trigger())["run_id"] == first["run_id"]
        await anyio.sleep(121)
        assert (await caller.trigger())["run_id"] != first["run_id"]
        assert caller.posts == 2


async def test_a_run_that_goes_on_is_told_however_long_ago_it_was_begun() -> None:
    async with connected(Sandbox()) as caller:
        first = await caller.trigger(context=LONG)
        await caller.call("get_run", tracker_id=TESLA, run_id=first["run_id"])
        await anyio.sleep(300)
        told = await caller.trigger()
        assert (told["run_id"], told["status"]) == (first["run_id"], "running")
        assert caller.posts == 1


@pytest.mark.parametrize("sync", [True, False])
async def test_a_run_that_another_call_began_while_this_one_read_is_told_as_ours(sync: bool) -> None:
    sandbox = Sandbox()
    sandbox.faults.add(Fault("GET", r"/runs$", "hang_before", seconds=5))
    async with connected(sandbox) as caller:

        async def trigger_later() -> Any:
            await anyio.sleep(1)
            return await caller.trigger(sync=sync, context=LONG, wait_seconds=10)

        slow, quick = await gather(lambda: caller.trigger(sync=sync, context=LONG, wait_seconds=10), trigger_later)
        assert slow["run_id"] == quick["run_id"]
        assert (caller.posts, caller.created) == (1, 1)


async def test_again_starts_another_run_each_time() -> None:
    async with connected(Sandbox()) as caller:
        await caller.trigger(context=LONG)
        runs = await gather(*[lambda: caller.trigger(again=True, context=LONG)] * 3)
        assert len({run["run_id"] for run in runs}) == 3
        assert (caller.posts, caller.created) == (4, 4)


@both_eras
async def test_somebody_elses_run_that_goes_on_is_named_and_nothing_is_sent(mode: Mode) -> None:
    sandbox = Sandbox()
    async with connected(sandbox, mode) as caller:
        theirs = sandbox.begin_run(TESLA, "manual")
        text = await caller.fails("trigger_run", "already_running", tracker_id=TESLA)
        assert f"wait_for_run(tracker_id={TESLA}, run_id={theirs['run_id']})" in text
        assert "again=true" in text
        assert caller.posts == 0
        assert (await caller.trigger(again=True))["run_id"] != theirs["run_id"]


async def test_a_scheduled_run_that_goes_on_holds_nothing_off() -> None:
    sandbox = Sandbox()
    async with connected(sandbox) as caller:
        sandbox.begin_run(SEMIS, "scheduled")
        assert "note" not in await caller.call("trigger_run", tracker_id=SEMIS)
