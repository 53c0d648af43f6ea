"""Where trackers stand and what they cost: one call for what used to take many."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import httpx
import pytest

from help.callers import Caller, connected
from help.eras import both_eras, virtual_time
from help.seeded import SEMIS, SPACE, START, TESLA, UNUSED, Json
from quantinal_mcp.models.common import iso_utc
from quantinal_mcp.money.budget import Budget
from quantinal_mcp.money.spending import due, scheduled_per_day, spent
from quantinal_mcp.runs.overview import Standing, standing
from quantinal_mcp.runs.scores import Point
from quantinal_mcp.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def run(ago: timedelta, score: float | None, *, cost: float | None = 0.02, by: str | None = "manual") -> Json:
    """A run that ended so long before `NOW`; without a score it failed."""
    ended = NOW - ago
    return {
        "run_id": f"run_{int(ago.total_seconds())}",
        "status": "failed" if score is None else "completed",
        "started_at": iso_utc(ended - MINUTE),
        "completed_at": iso_utc(ended),
        "quants_used": cost,
        "result": None if score is None else {"score": score, "insight": "x"},
        "config_snapshot": {"agent_config": {"skills": ["web"]}, **({"trigger_type": by} if by else {})},
    }


def tracker(
    tracker_id: str = "trk_1", *, every: timedelta | None = None, threshold: float | None = None, **more: Any
) -> Json:
    minutes = every.total_seconds() / 60 if every else None
    return {
        "tracker_id": tracker_id,
        "space_id": "spc_1",
        "name": f"Name of {tracker_id}",
        "run_mode": "scheduled" if every else "manual",
        "agent_config": {"score_meaning": "Mood", "skills": ["web"]},
        "schedule": {"start_time": "2026-01-01T09:00:00Z", "interval_minutes": minutes} if every else None,
        "notification_config": {"score_threshold": threshold} if threshold is not None else None,
        "last_run_at": iso_utc(NOW),
        "created_at": "2025-01-01T00:00:00Z",
        **more,
    }


@dataclass
class Service(httpx.AsyncBaseTransport):
    """A service of these trackers and runs, which lists runs in an order of its own and filters them by when they
    started; it remembers what was asked and how much at once."""

    trackers: Sequence[Json]
    runs: dict[str, list[Json]]
    asked: list[httpx.URL] = field(default_factory=list[httpx.URL])
    in_flight: int = 0
    most_in_flight: int = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        await anyio.sleep(0.01)
        self.in_flight -= 1
        return httpx.Response(200, json=self._page(request.url))

    def _page(self, url: httpx.URL) -> Json:
        rows: list[Json]
        if url.path.endswith("/spaces"):
            rows = [{"space_id": "spc_1"}]
        elif url.path.endswith("/trackers"):
            rows = list(self.trackers)
        elif url.path.endswith("/skills"):
            rows = [{"skill_id": "web", "base_cost_quants": 0.012}]
        else:
            rows = self._runs(url)
        size, page = int(url.params["page_size"]), int(url.params["page"])
        shown = rows[(page - 1) * size : page * size]
        pages = -(-len(rows) // size)
        return {"data": shown, "pagination": {"page": page, "total_pages": pages}}

    def _runs(self, url: httpx.URL) -> list[Json]:
        after, before = url.params.get("start_date"), url.params.get("end_date")
        rows = [
            row
            for row in self.runs.get(url.path.split("/")[-2], [])
            if (not after or row["started_at"] >= after) and (not before or row["started_at"] <= before)
        ]
        random.Random(3).shuffle(rows)  # noqa: S311
        return rows

    @property
    def asked_for_runs(self) -> int:
        return sum(url.path.endswith("/runs") for url in self.asked)


async def overview(service: Service, **arguments: Any) -> Json:
    async with connected(Sandbox(), way=service, now=NOW) as call:
        return await call("get_overview", **arguments)


@both_eras
async def test_an_overview_has_a_line_for_every_tracker_with_what_its_runs_say(mode: str) -> None:
    sandbox = Sandbox(start=START, shuffle_lists=True)
    async with connected(sandbox, mode, now=START) as call:
        lines = {line["tracker_id"]: line for line in (await call("get_overview"))["trackers"]}
    assert lines.keys() == sandbox.world.account().trackers.keys()
    runs = [one for one in sandbox.runs() if one["tracker_id"] == TESLA and one["status"] == "completed"]
    before = [one["result"]["score"] for one in runs if one["completed_at"] <= iso_utc(START - 7 * DAY)]
    assert lines[TESLA] == {
        "tracker_id": TESLA,
        "name": "Tesla Sentiment",
        "score_meaning": "Market Sentiment",
        "score": 72,
        "scored_at": runs[-1]["completed_at"][:16] + "Z",
        "previous_score": runs[-2]["result"]["score"],
        "change_7d": 72 - before[-1],
        "threshold": 20,
    }
    assert lines[SEMIS]["quants_per_day"] == 0.032
    assert lines[SEMIS]["next_run_at"] == "2026-03-01T12:00Z"
    assert lines[UNUSED] == {"tracker_id": UNUSED, "name": "EV Supply Chain", "score_meaning": "Supply Health"}


async def test_an_overview_asks_about_once_per_tracker(sandbox: Sandbox) -> None:
    async with connected(sandbox) as call:
        await call("get_overview")
    trackers = sandbox.world.account().trackers.values()
    run_before = [one for one in trackers if one.runs]
    assert sandbox.count("GET", "/runs$") <= len(run_before) + 2
    assert sandbox.count("GET", "/spaces$") == 1
    assert len(sandbox.requests) <= len(run_before) + 2 + 1 + 3 + 1


@pytest.mark.patient
@pytest.mark.parametrize("every", [MINUTE, 10 * MINUTE, HOUR, 3 * HOUR, DAY, 7 * DAY, 30 * DAY])
async def test_however_often_a_tracker_runs_a_few_requests_tell_where_it_stands(every: timedelta) -> None:
    count = min(20_000, int(90 * DAY / every))
    runs = [run(every * number + MINUTE / 2, 50 + (number * 7) % 31) for number in range(count)]
    week_old = next(one for one in runs if one["completed_at"] <= iso_utc(NOW - 7 * DAY))
    service = Service([tracker(every=every, last_run_at=runs[0]["started_at"])], {"trk_1": runs})
    [line] = (await overview(service))["trackers"]
    assert (line["score"], line["previous_score"]) == (50, 57)
    assert line["change_7d"] == 50 - week_old["result"]["score"]
    assert service.asked_for_runs <= 2


async def test_a_tracker_run_by_hand_now_and_then_is_looked_for_beyond_the_first_window() -> None:
    runs = [run(DAY, 40), run(200 * DAY, 70), run(300 * DAY, 10)]
    service = Service([tracker(last_run_at=runs[0]["started_at"])], {"trk_1": runs})
    [line] = (await overview(service))["trackers"]
    assert (line["score"], line["previous_score"], line["change_7d"]) == (40, 70, -30)
    assert service.asked_for_runs == 2


async def test_a_tracker_that_has_been_failing_for_long_still_has_its_last_score() -> None:
    runs = [*(run(DAY * number + HOUR, None) for number in range(60)), run(61 * DAY, 33)]
    service = Service([tracker(every=DAY)], {"trk_1": runs})
    [line] = (await overview(service))["trackers"]
    assert (line["score"], line["failed_since"]) == (33, 60)
    assert "previous_score" not in line


async def test_a_tracker_that_never_ran_is_not_asked_after() -> None:
    service = Service([tracker(last_run_at=None)], {})
    [line] = (await overview(service))["trackers"]
    assert "score" not in line
    assert service.asked_for_runs == 0


async def test_a_tracker_that_does_not_say_when_it_ran_is_asked_after_all_the_same() -> None:
    silent = {name: value for name, value in tracker().items() if name != "last_run_at"}
    service = Service([silent], {"trk_1": [run(DAY, 40), run(9 * DAY, 50)]})
    [line] = (await overview(service))["trackers"]
    assert (line["score"], line["change_7d"]) == (40, -10)


async def test_crossed_thresholds_come_first_then_what_fails_then_the_largest_falls() -> None:
    trackers = [tracker(f"trk_{name}") for name in ("rising", "falling", "fallen", "failing")]
    trackers.append(tracker("trk_crossed", threshold=40))
    trackers.append(tracker("trk_safe", threshold=39))
    runs = {
        "trk_rising": [run(HOUR, 60), run(8 * DAY, 50)],
        "trk_falling": [run(HOUR, 45), run(8 * DAY, 50)],
        "trk_fallen": [run(HOUR, 20), run(8 * DAY, 50)],
        "trk_failing": [run(HOUR, None), run(2 * HOUR, 55), run(8 * DAY, 50)],
        "trk_crossed": [run(HOUR, 40), run(8 * DAY, 10)],
        "trk_safe": [run(HOUR, 40), run(8 * DAY, 40)],
    }
    told = await overview(Service(trackers, runs))
    names = [line["tracker_id"].removeprefix("trk_") for line in told["trackers"]]
    assert names == ["crossed", "failing", "fallen", "falling", "safe", "rising"]
    assert [line.get("crossed", False) for line in told["trackers"]] == [True, *[False] * 5]
    assert told["trackers"][1]["failed_since"] == 1
    assert told["next_step"] == "get_score_history(tracker_id=trk_crossed)"


@pytest.mark.patient
async def test_no_more_than_six_requests_are_in_flight() -> None:
    trackers = [tracker(f"trk_{number}") for number in range(40)]
    many = {one["tracker_id"]: [run(HOUR * number, 50) for number in range(1, 500)] for one in trackers}
    service = Service(trackers, many)
    assert len((await overview(service))["trackers"]) == 40
    assert service.most_in_flight == 6


@virtual_time
async def test_what_cannot_be_read_is_left_out_with_a_note(sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("GET", f"{TESLA}/runs", "status", None, code=500))
    async with connected(sandbox) as call:
        told = await call("get_overview")
    lines = {line["tracker_id"]: line for line in told["trackers"]}
    assert lines[TESLA].keys() == {"tracker_id", "name", "score_meaning"}
    assert lines[SEMIS]["score"]
    assert told["note"] == "1 trackers could not be read ([upstream_error]): Tesla Sentiment."


@virtual_time
async def test_a_space_that_cannot_be_read_is_named_and_the_others_are_told(sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("GET", "/api/trackers$", "status", 1, code=403))
    async with connected(sandbox) as call:
        told = await call("get_overview")
    assert told["trackers"]
    assert told["note"].startswith("1 spaces could not be read ([forbidden]): spc_")


async def test_trackers_are_found_by_a_part_of_their_name_in_any_case(call: Caller, sandbox: Sandbox) -> None:
    [line] = (await call("get_overview", name_contains="TESLA"))["trackers"]
    assert line["tracker_id"] == TESLA
    assert sandbox.count("GET", "/runs$") == 1
    nothing = await call("get_overview", name_contains="nobody")
    assert nothing == {"trackers": [], "next_step": "without name_contains it lists all trackers"}


async def test_an_overview_of_one_space_reads_no_other(call: Caller, sandbox: Sandbox) -> None:
    told = await call("get_overview", space_id=SPACE)
    inside = {one.tracker_id for one in sandbox.world.account().in_space(SPACE)}
    assert {line["tracker_id"] for line in told["trackers"]} == inside
    assert sandbox.count("GET", "/spaces$") == 0


@pytest.mark.patient
async def test_of_very_many_trackers_those_that_ran_last_are_shown_and_the_rest_is_counted() -> None:
    trackers = [tracker(f"trk_{number:03}", last_run_at=iso_utc(NOW - DAY * number)) for number in range(130)]
    told = await overview(Service(trackers, {}))
    assert {line["tracker_id"] for line in told["trackers"]} == {f"trk_{number:03}" for number in range(100)}
    assert told["note"] == "30 more trackers; narrow with space_id or name_contains."


@pytest.mark.parametrize(
    ("ago_and_score", "change"),
    [
        ([], None),
        ([(HOUR, 50)], None),
        ([(HOUR, 50), (2 * HOUR, 60)], -10),
        ([(HOUR, 50), (6 * DAY, 60), (7 * DAY, 20), (9 * DAY, 90)], 30),
        ([(HOUR, 50), (DAY, 40), (8 * DAY, 55)], -5),
        ([(10 * DAY, 50), (20 * DAY, 90)], 0),
    ],
)
def test_the_change_is_against_the_last_score_at_or_before_seven_days_ago_else_the_earliest(
    ago_and_score: list[tuple[timedelta, float]], change: float | None
) -> None:
    runs: Any = [run(ago, score) for ago, score in ago_and_score]
    assert standing({"tracker_id": "trk_1"}, runs, NOW).change_7d == change


@pytest.mark.parametrize(("score", "threshold", "crossed"), [(40, 40, True), (41, 40, False), (0, None, False)])
def test_a_threshold_is_crossed_at_or_below_it(score: float, threshold: float | None, crossed: bool) -> None:
    one = Standing({"tracker_id": "trk_1"}, Point(NOW, score, "run_1"), threshold=threshold)
    assert one.crossed is crossed


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


async def test_a_failing_list_of_spaces_fails_the_overview(call: Caller, sandbox: Sandbox) -> None:
    body = json.dumps({"detail": "No"})
    sandbox.faults.add(Fault("GET", "/spaces$", "status", None, code=403, body=body))
    await call.fails("get_overview", "forbidden")
    assert len(sandbox.requests) == 1


async def test_where_no_tracker_can_be_read_the_call_fails(call: Caller, sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("GET", "/runs$", "status", None, code=403))
    await call.fails("get_overview", "forbidden", name_contains="Tesla")
