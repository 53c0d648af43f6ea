"""What is scheduled is what was agreed to: schedules that are dear, of unknown cost, stopped, revived or moved."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from help.callers import Questions, connected, gather, tracker_of
from help.eras import Mode, both_eras
from help.inside import make_super, meanwhile
from help.seeded import AGENT, DAILY, NEW, SEMIS, TESLA, UNUSED, Json
from quantinal_mcp.money.budget import Budget
from quantinal_mcp.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio


@both_eras
async def test_max_quants_per_day_is_no_yes_of_a_user_who_can_be_asked_and_was_not(mode: Mode) -> None:
    sandbox, user = Sandbox(), Questions()
    how: Json = {"tracker_id": TESLA, "schedule": DAILY, "max_quants_per_day": 9}
    async with connected(sandbox, mode, user=user) as caller:
        await meanwhile(
            sandbox, lambda: caller.fails("update_tracker", "needs_consent", **how), lambda: make_super(sandbox)
        )
        assert (user.asked, sandbox.count("PATCH", "/")) == ([], 0)
        await caller.call("update_tracker", **how)
        assert len(user.asked) == 1


async def test_a_schedule_that_was_stopped_meanwhile_is_not_started_again_by_an_update_that_asked_nobody() -> None:
    sandbox, user = Sandbox(), Questions()
    sandbox.faults.add(Fault("GET", rf"/trackers/{SEMIS}$", "hang_before", seconds=2, skip=1, times=1))
    make_super(sandbox, SEMIS)
    schedule: Any = dict(tracker_of(sandbox, SEMIS).settings["schedule"])

    async def stop() -> None:
        await anyio.sleep(1)
        tracker_of(sandbox, SEMIS).settings["run_mode"] = "manual"

    async with connected(sandbox, user=user) as caller:
        same = {"interval_minutes": schedule["interval_minutes"]}
        _, text = await gather(stop, lambda: caller.error("update_tracker", tracker_id=SEMIS, schedule=same))
        assert str(text).startswith("[needs_consent] The tracker changed meanwhile")
        assert (user.asked, sandbox.count("PATCH", "/")) == ([], 0)


async def test_a_yes_to_a_schedule_does_not_cover_one_that_has_come_to_run_more_often() -> None:
    sandbox, user = Sandbox(), Questions()
    make_super(sandbox, SEMIS)
    settings = tracker_of(sandbox, SEMIS).settings
    settings["run_mode"] = "manual"
    user.before_answering = lambda: settings["schedule"].update(interval_minutes=60)
    async with connected(sandbox, "legacy", user=user) as caller:
        text = await caller.fails("update_tracker", "needs_consent", tracker_id=SEMIS, run_mode="scheduled")
        assert "changed meanwhile" in text
        assert (len(user.asked), sandbox.count("PATCH", "/")) == (1, 0)


@both_eras
async def test_a_dear_schedule_with_a_long_interval_is_asked_for_and_a_no_starts_nothing(mode: Mode) -> None:
    sandbox, user = Sandbox(), Questions("decline")
    make_super(sandbox)
    monthly = {"start_time": "2026-10-01T09:00:00Z", "interval_minutes": 43200}
    async with connected(sandbox, mode, user=user) as caller:
        await caller.fails("trigger_run", "declined", tracker_id=TESLA)
        await caller.fails("update_tracker", "declined", tracker_id=TESLA, schedule=monthly)
        assert "every 30 days" in user.asked[-1]
        assert "0.36 quants" in user.asked[-1]
    async with connected(sandbox, mode) as caller:
        text = await caller.fails("update_tracker", "needs_consent", tracker_id=TESLA, schedule=monthly)
        assert "max_quants_per_day 0.012" in text
        await caller.fails(
            "update_tracker", "needs_consent", tracker_id=TESLA, schedule=monthly, max_quants_per_day=0.01
        )
        assert sandbox.count("PATCH", "/") == 0
        after = await caller.call("update_tracker", tracker_id=TESLA, schedule=monthly, max_quants_per_day=0.012)
        assert after["schedule_cost"]["quants_per_30_days"] == 0.36


@both_eras
@pytest.mark.parametrize("tool", ["create_tracker", "update_tracker"])
@pytest.mark.parametrize(
    ("limits", "code"), [({}, "needs_consent"), ({"budget_quants": Budget(0.1)}, "over_budget")], ids=["free", "budget"]
)
async def test_a_schedule_of_unknown_cost_is_held_to_what_it_costs_at_least(
    mode: Mode, tool: str, limits: Any, code: str
) -> None:
    sandbox = Sandbox()
    config = {**AGENT, "reasoning_mode": "super", "linked_trackers": [TESLA]}
    what: Json = {**NEW, "run_mode": "scheduled"} if tool == "create_tracker" else {"tracker_id": UNUSED}
    what |= {"agent_config": config, "schedule": {**DAILY, "interval_minutes": 60}, "max_quants_per_day": 0.01}
    async with connected(sandbox, mode, **limits) as caller:
        text = await caller.fails(tool, code, **what)
        assert "7.2 quants" in text
        assert sandbox.count("POST", "trackers$") + sandbox.count("PATCH", "/") == 0


@both_eras
async def test_a_schedule_of_many_runs_a_day_is_asked_for_where_nobody_knows_what_they_cost(mode: Mode) -> None:
    sandbox, user = Sandbox(skills_forbidden=True), Questions("decline")
    async with connected(sandbox, mode, user=user) as caller:
        often = {"tracker_id": UNUSED, "schedule": {**DAILY, "interval_minutes": 1}}
        await caller.fails("update_tracker", "declined", **often)
        assert len(user.asked) == 1
        await caller.call("update_tracker", tracker_id=UNUSED, schedule=DAILY)
        assert len(user.asked) == 1


async def test_a_run_that_ends_while_the_user_thinks_changes_nothing_of_a_schedule() -> None:
    sandbox, user = Sandbox(), Questions(thinks=30)
    tracker_of(sandbox, SEMIS).settings["run_mode"] = "manual"
    async with connected(sandbox, "legacy", user=user) as caller:
        await caller.call("trigger_run", tracker_id=SEMIS, context={"sandbox": {"seconds": 10, "fail": False}})
        after = await caller.call("update_tracker", tracker_id=SEMIS, schedule={"interval_minutes": 60})
        assert (after["schedule_cost"]["runs_per_day"], len(user.asked)) == (24, 1)


@both_eras
@pytest.mark.parametrize(
    ("stands", "changes"),
    [
        ({"end_time": "2026-09-01T00:00:00Z"}, {"schedule": {"end_time": "2027-09-01T00:00:00Z"}}),
        ({"end_time": "2026-09-01T00:00:00Z"}, {"clear_fields": ["schedule.end_time"]}),
        ({"end_time": "2026-12-01T00:00:00Z"}, {"clear_fields": ["schedule.end_time"]}),
        ({"start_time": "2099-01-01T09:00:00Z"}, {"schedule": {"start_time": "2026-10-01T09:00:00Z"}}),
    ],
)
async def test_a_schedule_that_is_revived_prolonged_or_moved_nearer_is_asked_for(
    mode: Mode, stands: Json, changes: Json
) -> None:
    sandbox, user = Sandbox(), Questions()
    make_super(sandbox, SEMIS)
    tracker_of(sandbox, SEMIS).settings["schedule"].update(stands)
    async with connected(sandbox, mode, user=user) as caller:
        after = await caller.call("update_tracker", tracker_id=SEMIS, **changes)
        assert len(user.asked) == 1
        assert after["schedule_cost"]["quants_per_run"] > 0.05
        assert "next_run_at" in after
    async with connected(sandbox, mode, max_quants_per_run=0.05) as caller:
        tracker_of(sandbox, SEMIS).settings["schedule"].update(stands)
        await caller.fails("update_tracker", "over_budget", tracker_id=SEMIS, **changes)
