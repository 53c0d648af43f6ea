"""What trackers cost: what was spent, what schedules will spend, and what is left of a budget."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from help.callers import Caller, connected
from help.eras import both_eras, virtual_time
from help.seeded import SEMIS, SPACE, TESLA
from help.trackers import DAY, HOUR, NOW, Service, run, tracker
from quantinal_mcp.models.common import iso_utc
from quantinal_mcp.money.budget import Budget
from quantinal_mcp.money.spending import due, scheduled_per_day, spent
from quantinal_mcp.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("schedule", "run_mode", "expected"),
    [
        ({"start_time": "2026-03-01T11:30:00Z", "interval_minutes": 60}, "scheduled", "2026-03-01T12:30:00Z"),
        ({"start_time": "2026-03-01T12:00:00Z", "interval_minutes": 60}, "scheduled", "2026-03-01T12:00:00Z"),
        ({"start_time": "2026-05-01T12:00:00Z", "interval_minutes": 60}, "scheduled", "2026-05-01T12:00:00Z"),
        ({"start_time": "2026-02-01T14:00:00+01:00", "interval_minutes": 1440}, "scheduled", "2026-03-01T13:00:00Z"),
        ({"start_time": "2026-02-01T12:00:00Z", "interval_minutes": 60}, "manual", None),
        (
            {"start_time": "2026-02-01T12:00:00Z", "interval_minutes": 60, "end_time": "2026-02-02T00:00:00Z"},
            "scheduled",
            None,
        ),
        ({"start_time": "soon", "interval_minutes": 60}, "scheduled", None),
        ({"start_time": "2026-02-01T12:00:00Z"}, "scheduled", None),
        (None, "scheduled", None),
    ],
)
def test_a_schedule_is_due_at_its_next_step_until_its_end(schedule: Any, run_mode: str, expected: str | None) -> None:
    moment = due({"tracker_id": "trk_1", "run_mode": run_mode, "schedule": schedule}, NOW)
    assert (iso_utc(moment) if moment else None) == expected


def test_what_a_schedule_costs_a_day_is_known_from_its_runs_or_else_from_prices() -> None:
    hourly: Any = tracker(every=HOUR)
    runs: Any = [run(DAY, 50, cost=0.03)]
    assert scheduled_per_day(hourly, NOW, None, runs) == 0.72
    assert scheduled_per_day(hourly, NOW, {"web": 0.012}, []) == 0.288
    assert scheduled_per_day(hourly, NOW, None, []) is None
    by_hand: Any = tracker()
    assert scheduled_per_day(by_hand, NOW, None, runs) == 0


def test_charges_are_added_up_by_what_started_the_runs() -> None:
    runs: Any = [
        run(DAY, 50, cost=0.1),
        run(2 * DAY, None, cost=0.2),
        run(3 * DAY, 50, cost=0.4, by="scheduled"),
        run(4 * DAY, 50, cost=0.8, by=None),
        run(6 * DAY, 50, cost=None),
        {**run(7 * DAY, 50, cost=None), "status": "running", "completed_at": None},
    ]
    found = spent(runs)
    assert (found.manual_quants, found.scheduled_quants, found.total) == pytest.approx((1.1, 0.4, 1.5))
    assert (found.runs, found.failed, found.unknown) == (6, 1, 1)


@both_eras
async def test_spending_is_what_the_runs_of_this_calendar_month_were_charged(mode: str) -> None:
    now = datetime(2026, 3, 20, 9, tzinfo=UTC)
    sandbox = Sandbox(start=now, shuffle_lists=True)
    async with connected(sandbox, mode, now=now) as call:
        told = await call("get_spending")
    month = [one for one in sandbox.runs() if (one["started_at"] or "") >= "2026-03-01T00:00:00Z"]
    assert told["total_quants"] == pytest.approx(sum(one["quants_used"] for one in month))
    assert (told["start_date"], told["end_date"]) == ("2026-03-01T00:00Z", "2026-03-20T09:00Z")
    lines = {line["tracker_id"]: line for line in told["trackers"]}
    for tracker_id, line in lines.items():
        runs = [one for one in month if one["tracker_id"] == tracker_id]
        by_schedule = [one for one in runs if one["config_snapshot"]["trigger_type"] == "scheduled"]
        assert line["runs"] == len(runs)
        assert line["failed"] == sum(one["status"] == "failed" for one in runs)
        assert line["scheduled_quants"] == pytest.approx(sum(one["quants_used"] for one in by_schedule))
        total = line["manual_quants"] + line["scheduled_quants"]
        assert total == pytest.approx(sum(one["quants_used"] for one in runs))
    assert lines[SEMIS]["scheduled_quants"] > 0
    assert any(line["failed"] for line in lines.values())
    assert (told["scheduled_per_day"], told["scheduled_per_30_days"]) == (0.032, 0.96)
    assert "budget" not in told
    costs = [line["manual_quants"] + line["scheduled_quants"] for line in told["trackers"]]
    assert costs == sorted(costs, reverse=True)


async def test_spending_of_a_period_and_a_space_is_only_theirs(call: Caller, sandbox: Sandbox) -> None:
    now = sandbox.world.clock.now()
    dates = {"start_date": iso_utc(now - 40 * DAY), "end_date": iso_utc(now - 20 * DAY)}
    told = await call("get_spending", space_id=SPACE, **dates)
    inside = {one.tracker_id for one in sandbox.world.account().in_space(SPACE)}
    theirs = [
        one
        for one in sandbox.runs()
        if one["tracker_id"] in inside and dates["start_date"] <= (one["started_at"] or "") <= dates["end_date"]
    ]
    assert told["total_quants"] == pytest.approx(sum(one["quants_used"] for one in theirs))
    assert {line["tracker_id"] for line in told["trackers"]} == {one["tracker_id"] for one in theirs}


async def test_spending_asks_only_after_trackers_that_ran_in_the_period(sandbox: Sandbox) -> None:
    later = sandbox.world.clock.now() + DAY
    async with connected(sandbox, now=later) as call:
        told = await call("get_spending", start_date=iso_utc(later))
    assert (told["total_quants"], told["trackers"]) == (0, [])
    assert sandbox.count("GET", "/runs$") == 0


@pytest.mark.patient
@pytest.mark.parametrize(
    ("period", "until"), [("day", "2026-03-02T00:00Z"), ("week", "2026-03-02T00:00Z"), ("month", "2026-04-01T00:00Z")]
)
async def test_what_is_left_of_a_budget_and_until_when_is_part_of_the_spending(
    sandbox: Sandbox, period: Any, until: str
) -> None:
    async with connected(sandbox, now=NOW, budget_quants=Budget(1.5, period)) as call:
        assert (await call("get_spending"))["budget"] == {"left": 1.5, "until": until}
        await call("trigger_run", tracker_id=TESLA)
        assert (await call("get_spending"))["budget"]["left"] == 1.48


@virtual_time
async def test_spending_says_what_it_could_not_read(sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("GET", f"{TESLA}/runs", "status", None, code=500))
    async with connected(sandbox) as call:
        told = await call("get_spending")
    assert "1 trackers could not be read ([upstream_error]): Tesla Sentiment." in told["note"]
    assert told["total_quants"] > 0


async def test_charges_and_schedules_that_are_unknown_are_named() -> None:
    silent = [run(HOUR, 50, cost=None), run(2 * HOUR, 50, cost=0.1), run(3 * HOUR, 50, cost=-1)]
    trackers = [tracker(), tracker("trk_2", every=DAY, agent_config={"skills": ["other"]})]
    async with connected(Sandbox(), way=Service(trackers, {"trk_1": silent}), now=NOW) as call:
        told = await call("get_spending")
    assert told["total_quants"] == 0.1
    assert "2 runs do not say what they were charged and are not in the sums." in told["note"]
    assert "What a run costs is unknown for the schedules of: Name of trk_2." in told["note"]
