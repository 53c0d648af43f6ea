"""Where trackers stand: one call for what used to take many."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from help.callers import Caller, connected
from help.eras import both_eras, virtual_time
from help.seeded import SEMIS, SPACE, START, TESLA, UNUSED, Json
from help.trackers import DAY, HOUR, MINUTE, NOW, Service, run, tracker
from quantinal_mcp.models.common import iso_utc
from quantinal_mcp.runs.overview import Standing, standing
from quantinal_mcp.runs.scores import Point
from quantinal_mcp.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio


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


async def test_a_failing_list_of_spaces_fails_the_overview(call: Caller, sandbox: Sandbox) -> None:
    body = json.dumps({"detail": "No"})
    sandbox.faults.add(Fault("GET", "/spaces$", "status", None, code=403, body=body))
    await call.fails("get_overview", "forbidden")
    assert len(sandbox.requests) == 1


async def test_where_no_tracker_can_be_read_the_call_fails(call: Caller, sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("GET", "/runs$", "status", None, code=403))
    await call.fails("get_overview", "forbidden", name_contains="Tesla")
