"""What runs have found and what they will cost, from data made for it."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from help.callers import Caller, answering, connected
from help.eras import both_eras, virtual_time
from help.seeded import PORTFOLIO, SEMIS, TESLA, UNUSED, Json
from quantinal_mcp.money.budget import Budget
from quantinal_mcp.sandbox import Fault, Sandbox

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
    assert [point["score"] for point in history["points"]] == list(range(1, 10))
    assert [point["run_id"] for point in history["points"]] == [f"run_{number}" for number in range(1, 10)]
    assert history["statistics"] == {
        "latest": 9,
        "mean": 5,
        "minimum": 1,
        "maximum": 9,
        "change": 1,
        "trend_per_day": 1,
    }
    assert history["outstanding"] == []
    assert history["next_step"] == f"get_run(tracker_id={TESLA}, run_id=run_9) tells why"
    assert "truncated" not in history


async def test_a_run_that_two_pages_list_counts_once(call: Caller, sandbox: Sandbox) -> None:
    listing(sandbox, [run(1, 10), run(2, 20)], [run(2, 20), run(3, 30)])
    assert len((await call("get_score_history", tracker_id=TESLA))["points"]) == 3


async def test_the_latest_points_are_kept_though_the_list_begins_with_the_oldest(
    call: Caller, sandbox: Sandbox
) -> None:
    listing(sandbox, [run(1, 1), run(2, 2)], [run(3, 3), run(4, 4)])
    history = await call("get_score_history", tracker_id=TESLA, limit=2)
    assert [point["score"] for point in history["points"]] == [3, 4]
    assert history["statistics"]["mean"] == 3.5


async def test_one_point_has_no_change_and_no_trend(call: Caller, sandbox: Sandbox) -> None:
    listing(sandbox, [run(1, 42)])
    history = await call("get_score_history", tracker_id=TESLA)
    assert history["statistics"] == {"latest": 42, "mean": 42, "minimum": 42, "maximum": 42}


async def test_a_tracker_without_scores_is_told_how_to_get_one(call: Caller) -> None:
    history = await call("get_score_history", tracker_id=UNUSED)
    assert history == {
        "points": [],
        "outstanding": [],
        "next_step": f"trigger_run(tracker_id={UNUSED}) makes the first score",
    }


async def test_points_at_the_same_moment_have_no_trend(call: Caller, sandbox: Sandbox) -> None:
    listing(sandbox, [run(1, 10), {**run(1, 20), "run_id": "run_b"}])
    statistics = (await call("get_score_history", tracker_id=TESLA))["statistics"]
    assert statistics["change"] == 10
    assert "trend_per_day" not in statistics


async def test_a_score_far_from_the_rest_stands_out_and_is_the_next_step(call: Caller, sandbox: Sandbox) -> None:
    listing(sandbox, [run(number, 5 if number == 4 else 50) for number in range(1, 12)])
    history = await call("get_score_history", tracker_id=TESLA)
    assert [point["run_id"] for point in history["outstanding"]] == ["run_4"]
    assert "run_id=run_4" in history["next_step"]


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
    history = await call("get_score_history", tracker_id=TESLA)
    assert [(point["time"], point["score"]) for point in history["points"]] == [("2026-01-06T00:00:00Z", 66)]


async def test_dates_reach_the_service_as_utc(call: Caller, sandbox: Sandbox) -> None:
    await call("get_score_history", tracker_id=TESLA, start_date="2026-01-01T00:00:00-01:00")
    query = sandbox.requests[-1].query
    assert "start_date=2026-01-01T01%3A00%3A00Z" in query
    assert "status=completed" in query


class Oldest(httpx.AsyncBaseTransport):
    """A service with one completed run an hour, 2,100 in all, that lists the oldest, or the newest, first."""

    def __init__(self, *, first: bool) -> None:
        self._first = first

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
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
    assert [point["run_id"] for point in history["points"]] == [f"run_{number}" for number in range(1600, 2100)]
    assert history["statistics"]["latest"] == 99
    assert history["truncated"] is True


async def test_a_history_of_very_many_pages_is_bounded_and_says_so(call: Caller, sandbox: Sandbox) -> None:
    answering(sandbox, "GET", "/runs$", {"data": [run(1, 5)], "pagination": {"page": 1, "total_pages": 1000}})
    assert (await call("get_score_history", tracker_id=TESLA))["truncated"] is True
    assert len(sandbox.requests) == 20


async def test_the_history_of_a_shuffled_service_is_that_of_an_ordered_one() -> None:
    histories: list[Json] = []
    for shuffled in (True, False):
        sandbox = Sandbox(shuffle_lists=shuffled, start=None)
        async with connected(sandbox) as call:
            history = await call("get_score_history", tracker_id=TESLA, limit=500)
        histories.append({"runs": [(p["run_id"], p["score"]) for p in history["points"]]})
    assert histories[0] == histories[1]
    assert len(histories[0]["runs"]) > 100


async def test_an_estimate_is_what_such_runs_used(call: Caller) -> None:
    cost = await call("estimate_run_cost", tracker_id=TESLA)
    assert (cost["estimated_quants"], cost["at_least"]) == (0.02, 0.012)
    assert cost["basis"].startswith("history: dearest of ")
    assert cost["reasoning_mode"] == "basic"
    assert cost["needs_consent"] is False
    assert cost["usually_takes"]
    assert cost["unknowns"] == []


@both_eras
@pytest.mark.parametrize(
    ("mode_given", "expected", "factors"),
    [("advanced", 0.096, ("x 8", "x 6")), ("super", 0.36, ("x 30", "x 25")), ("zen", 0.66, ("x 55",))],
)
async def test_another_mode_is_estimated_by_the_formula_naming_the_multipliers(
    call: Caller, mode_given: str, expected: float, factors: tuple[str, ...]
) -> None:
    cost = await call("estimate_run_cost", tracker_id=TESLA, reasoning_mode=mode_given)
    assert cost["estimated_quants"] == expected
    assert all(factor in cost["basis"] for factor in factors)
    assert ("lower bound" in cost["basis"]) == (len(factors) == 1)
    assert cost["needs_consent"] is True
    assert cost["reasoning_mode"] == mode_given
    assert "usually_takes" not in cost


async def test_linked_trackers_are_known_from_history_only(call: Caller, service: str) -> None:
    known = await call("estimate_run_cost", tracker_id=PORTFOLIO)
    assert known["estimated_quants"] == {"documented": 0.212, "v0.3": 0.152}[service]
    unknown = await call("estimate_run_cost", tracker_id=PORTFOLIO, reasoning_mode="basic")
    assert "estimated_quants" not in unknown
    assert unknown["at_least"] == 0.024
    assert unknown["basis"] == "unknown"
    assert any("3 linked trackers" in one for one in unknown["unknowns"])
    assert unknown["needs_consent"] is True


async def test_without_readable_prices_history_still_tells() -> None:
    sandbox = Sandbox(skills_forbidden=True)
    async with connected(sandbox) as call:
        known = await call("estimate_run_cost", tracker_id=SEMIS)
        unknown = await call("estimate_run_cost", tracker_id=UNUSED)
        dear = await call("estimate_run_cost", tracker_id=UNUSED, reasoning_mode="super")
        assert sandbox.count("GET", "/skills") == 1
    assert known["estimated_quants"] == 0.032
    assert "at_least" not in known
    assert "estimated_quants" not in unknown
    assert any("skill prices" in one for one in unknown["unknowns"])
    assert (unknown["needs_consent"], dear["needs_consent"]) == (False, True)


@virtual_time
async def test_a_price_list_that_is_broken_does_not_stop_an_estimate(call: Caller, sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("GET", "/skills", "status", None, code=500))
    assert (await call("estimate_run_cost", tracker_id=TESLA))["estimated_quants"] == 0.02


async def test_a_skill_without_a_price_is_an_unknown(call: Caller, sandbox: Sandbox) -> None:
    answering(sandbox, "GET", "/skills", {"data": [{"skill_id": "web"}]})
    assert (await call("estimate_run_cost", tracker_id=UNUSED))["unknowns"] == ["price of skill web"]


async def test_a_budget_is_part_of_an_estimate(sandbox: Sandbox) -> None:
    async with connected(sandbox, budget_quants=Budget(1.5)) as call:
        assert (await call("estimate_run_cost", tracker_id=TESLA))["budget_left"] == 1.5
