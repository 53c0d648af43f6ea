"""What runs have found: histories, what stands out in them, and the picture of them, from data made for it."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from help.callers import Caller, answering, connected
from help.eras import both_eras
from help.seeded import START, TESLA, UNUSED, Json
from quantinal_mcp.runs.picture import PICTURE
from quantinal_mcp.runs.scores import Point, outstanding, trend_per_day
from quantinal_mcp.sandbox import Sandbox

pytestmark = pytest.mark.anyio


def run(number: int, score: float | None, **more: Any) -> Json:
    """A completed run of day `number`."""
    return {
        "run_id": f"run_{number}",
        "status": "completed",
        "completed_at": f"2026-01-{number:02}T00:00:00Z",
        "result": {"score": score, "insight": "x"},
        **more,
    }


def listing(sandbox: Sandbox, *pages: list[Json]) -> None:
    for number, page in enumerate(pages, start=1):
        pagination = {"page": number, "page_size": 100, "total_items": 3, "total_pages": len(pages)}
        answering(sandbox, "GET", "/runs$", {"data": page, "pagination": pagination}, times=1)


@both_eras
async def test_a_history_is_sorted_whatever_the_order_of_its_pages(call: Caller, sandbox: Sandbox) -> None:
    runs = [run(number, number) for number in range(1, 10)]
    random.Random(3).shuffle(runs)  # noqa: S311
    listing(sandbox, runs[:4], runs[4:6], runs[6:])
    history = await call("get_score_history", tracker_id=TESLA)
    assert history["points"] == [[f"2026-01-0{number}T00:00Z", number] for number in range(1, 10)]
    assert (history["points_total"], history["points_shown"]) == (9, 9)
    assert history["statistics"] == {
        "latest": 9,
        "mean": 5,
        "minimum": 1,
        "maximum": 9,
        "change": 1,
        "change_over_period": 8,
        "trend_per_day": 1,
        "failed_runs": 0,
    }
    assert history["outstanding"] == []
    assert history["latest_run_id"] == "run_9"
    assert history["next_step"] == f"get_run(tracker_id={TESLA}, run_id=run_9) explains the latest score"
    assert "truncated" not in history


async def test_a_history_says_whose_scores_they_are_and_what_they_mean(call: Caller, sandbox: Sandbox) -> None:
    history = await call("get_score_history", tracker_id=TESLA)
    assert (history["name"], history["score_meaning"], history["threshold"]) == (
        "Tesla Sentiment",
        "Market Sentiment",
        20,
    )
    bare = await call("get_score_history", tracker_id=UNUSED)
    assert "threshold" not in bare


async def test_a_run_that_two_pages_list_counts_once(call: Caller, sandbox: Sandbox) -> None:
    listing(sandbox, [run(1, 10), run(2, 20)], [run(2, 20), run(3, 30)])
    assert len((await call("get_score_history", tracker_id=TESLA))["points"]) == 3


async def test_statistics_are_of_the_whole_period_though_fewer_points_are_shown(call: Caller, sandbox: Sandbox) -> None:
    failed = {**run(5, None), "status": "failed", "result": None}
    listing(sandbox, [run(1, 12), run(2, 80)], [run(3, 30), run(4, 40), failed])
    history = await call("get_score_history", tracker_id=TESLA, limit=2)
    assert [score for _, score in history["points"]] == [30, 40]
    assert (history["points_total"], history["points_shown"]) == (4, 2)
    statistics = history["statistics"]
    assert (statistics["minimum"], statistics["maximum"], statistics["mean"]) == (12, 80, 40.5)
    assert (statistics["change"], statistics["change_over_period"], statistics["failed_runs"]) == (10, 28, 1)


async def test_one_point_has_no_change_and_no_trend(call: Caller, sandbox: Sandbox) -> None:
    listing(sandbox, [run(1, 42)])
    history = await call("get_score_history", tracker_id=TESLA)
    assert history["statistics"] == {"latest": 42, "mean": 42, "minimum": 42, "maximum": 42, "failed_runs": 0}


async def test_a_tracker_without_runs_is_told_what_one_costs_before_any_is_triggered(call: Caller) -> None:
    history = await call("get_score_history", tracker_id=UNUSED)
    assert history == {
        "name": "EV Supply Chain",
        "score_meaning": "Supply Health",
        "points": [],
        "points_total": 0,
        "points_shown": 0,
        "statistics": {"failed_runs": 0},
        "outstanding": [],
        "next_step": f"no run in this period; estimate_run_cost(tracker_id={UNUSED}) says what one costs",
    }


async def test_where_all_runs_failed_the_next_step_is_to_see_why(call: Caller, sandbox: Sandbox) -> None:
    listing(sandbox, [{**run(1, None), "status": "failed"}])
    history = await call("get_score_history", tracker_id=TESLA)
    assert history["statistics"] == {"failed_runs": 1}
    assert history["next_step"] == f"list_runs(tracker_id={TESLA}) shows why there is no score"


@pytest.mark.parametrize(("hours", "trend"), [(0, None), (1, None), (23, None), (24, 10), (240, 1)])
def test_a_trend_needs_a_day(hours: int, trend: float | None) -> None:
    begun = datetime(2026, 1, 1, tzinfo=UTC)
    points = [Point(begun, 10, "run_a"), Point(begun + timedelta(hours=hours), 20, "run_b")]
    assert trend_per_day(points) == trend


@pytest.mark.parametrize(("others", "stands_out"), [(4, False), (5, True)])
def test_what_is_more_than_two_standard_deviations_from_the_mean_stands_out(others: int, stands_out: bool) -> None:
    """One is the square root of the number of others from the mean, where those are equal; the picture says two."""
    begun = datetime(2026, 1, 1, tzinfo=UTC)
    points = [Point(begun, 50, "run_like") for _ in range(others)] + [Point(begun, 10, "run_far")]
    assert [point.run_id for point in outstanding(points)] == ["run_far"] * stands_out


def test_of_many_that_stand_out_the_five_farthest_are_told_the_farthest_first() -> None:
    begun = datetime(2026, 1, 1, tzinfo=UTC)
    points = [Point(begun, score, "run_a") for score in (4, 100, 2, 99, 1, 3, *[50] * 60)]
    assert [point.score for point in outstanding(points)] == [100, 99, 1, 2, 3]


async def test_a_score_far_from_the_rest_stands_out_and_the_next_step_is_the_latest(
    call: Caller, sandbox: Sandbox
) -> None:
    listing(sandbox, [run(number, 5 if number == 4 else 50) for number in range(1, 12)])
    history = await call("get_score_history", tracker_id=TESLA)
    assert history["outstanding"] == [{"time": "2026-01-04T00:00Z", "score": 5, "run_id": "run_4"}]
    assert "run_id=run_11" in history["next_step"]


async def test_runs_without_a_score_or_a_time_are_left_out(call: Caller, sandbox: Sandbox) -> None:
    odd = [
        run(1, None),
        {**run(2, 5), "result": None},
        {**run(3, 5), "completed_at": None},
        {**run(4, 5), "completed_at": "soon"},
        {**run(5, 5), "status": "zen"},
        {**run(6, 66), "completed_at": None, "started_at": "2026-01-06T00:00:00"},
    ]
    listing(sandbox, odd)
    assert (await call("get_score_history", tracker_id=TESLA))["points"] == [["2026-01-06T00:00Z", 66]]


async def test_dates_reach_the_service_as_utc(call: Caller, sandbox: Sandbox) -> None:
    period = {"start_date": "2026-01-01T00:00:00-01:00", "end_date": "2026-02-01T00:00:00-01:00"}
    await call("get_score_history", tracker_id=TESLA, **period)
    assert "start_date=2026-01-01T01%3A00%3A00Z" in sandbox.requests[-1].query
    assert "end_date=2026-02-01T01%3A00%3A00Z" in sandbox.requests[-1].query


class Oldest(httpx.AsyncBaseTransport):
    """A service with one completed run an hour, 2,100 in all, that lists the oldest, or the newest, first."""

    def __init__(self, *, first: bool) -> None:
        self._first = first

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if not request.url.path.endswith("/runs"):
            return httpx.Response(200, json={"tracker_id": TESLA})
        page = int(request.url.params["page"])
        numbers = range(2100) if self._first else range(2099, -1, -1)
        begun = datetime(2026, 1, 1, tzinfo=UTC)
        runs = [
            run(1, number % 100, run_id=f"run_{number}", completed_at=(begun + timedelta(hours=number)).isoformat())
            for number in numbers[(page - 1) * 100 : page * 100]
        ]
        return httpx.Response(200, json={"data": runs, "pagination": {"page": page, "total_pages": 21}})


@pytest.mark.parametrize("first", [True, False])
async def test_the_latest_score_of_a_long_history_is_the_latest_whichever_end_is_listed_first(
    sandbox: Sandbox, first: bool
) -> None:
    async with connected(sandbox, way=Oldest(first=first)) as call:
        history = await call("get_score_history", tracker_id=TESLA, limit=500)
    assert history["latest_run_id"] == "run_2099"
    assert history["points_shown"] == 500
    assert [score for _, score in history["points"]] == [number % 100 for number in range(1600, 2100)]
    assert history["truncated"] is True


async def test_a_history_of_very_many_pages_is_bounded_and_says_so(call: Caller, sandbox: Sandbox) -> None:
    answering(sandbox, "GET", "/runs$", {"data": [run(1, 5)], "pagination": {"page": 1, "total_pages": 1000}})
    assert (await call("get_score_history", tracker_id=TESLA))["truncated"] is True
    assert sandbox.count("GET", "/runs$") == 20


async def test_the_history_of_a_shuffled_service_is_that_of_an_ordered_one() -> None:
    histories: list[Json] = []
    for shuffled in (True, False):
        sandbox = Sandbox(shuffle_lists=shuffled, start=START)
        async with connected(sandbox) as call:
            histories.append(await call("get_score_history", tracker_id=TESLA, limit=500))
    assert histories[0] == histories[1]
    assert len(histories[0]["points"]) > 100


@both_eras
async def test_the_picture_is_told_every_point_and_what_moved_those_that_are_shown(
    call: Caller, sandbox: Sandbox
) -> None:
    factors = [{"factor": "News", "impact": 5, "probability": 0.5}, {"factor": "\u202eOdd"}]
    moved = [run(number, number, result={"score": number, "score_adjustment_factors": factors}) for number in (1, 2)]
    listing(sandbox, [*moved, run(3, 3)])
    result = await call.result("get_score_history", tracker_id=TESLA, limit=2)
    assert result.meta is not None
    assert result.meta[PICTURE] == {
        "series": [
            {
                "tracker_id": TESLA,
                "name": "Tesla Sentiment",
                "score_meaning": "Market Sentiment",
                "threshold": 20,
                "points": [[f"2026-01-0{number}T00:00:00Z", number, f"run_{number}"] for number in (1, 2, 3)],
            }
        ],
        "factors": {"run_2": [["News", 5, 0.5], ["Odd", None, None]]},
    }


async def test_of_very_many_points_the_picture_is_told_the_latest_five_hundred(sandbox: Sandbox) -> None:
    async with connected(sandbox, way=Oldest(first=True)) as call:
        result = await call.result("get_score_history", tracker_id=TESLA, limit=1)
    assert result.meta is not None
    [series] = result.meta[PICTURE]["series"]
    assert [run_id for _, _, run_id in series["points"]] == [f"run_{number}" for number in range(1600, 2100)]
