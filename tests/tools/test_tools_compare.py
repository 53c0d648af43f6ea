"""Whether two scores are related: by their changes, since two that rise always look alike."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from help.callers import Caller, connected
from help.eras import both_eras, virtual_time
from help.seeded import PORTFOLIO, RUN, SEMIS, START, TESLA, UNUSED
from quantinal_mcp.runs.picture import PICTURE
from quantinal_mcp.runs.scores import Point, compare, points_of
from quantinal_mcp.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio

DAY_ONE = datetime(2026, 1, 1, 9, tzinfo=UTC)


def points(scores: list[float], *, first: int = 0, step: int = 1, hour: int = 0) -> list[Point]:
    """A score a day, or every `step` days, from day `first` on."""
    begun = DAY_ONE + timedelta(days=first, hours=hour)
    return [
        Point(begun + timedelta(days=step * number), score, f"run_{number}_{hour}")
        for number, score in enumerate(scores)
    ]


ZIGZAG: list[float] = [50, 60, 45, 70, 40, 65]

TABLE: list[tuple[str, list[Point], list[Point], int, float | None, float | None]] = [
    ("equal", points(ZIGZAG), points(ZIGZAG), 6, 1, 1),
    ("mirrored", points(ZIGZAG), points([100 - score for score in ZIGZAG]), 6, -1, -1),
    ("at other hours of the same days", points(ZIGZAG), points(ZIGZAG, hour=7), 6, 1, 1),
    ("both rising, changes opposed", points([10, 30, 35, 55, 60, 80]), points([10, 15, 35, 40, 60, 65]), 6, 0.94, -1),
    ("constant", points(ZIGZAG), points([5] * 6), 6, None, None),
    ("no common day", points(ZIGZAG), points(ZIGZAG, first=50), 0, None, None),
    ("one common day", points(ZIGZAG), points(ZIGZAG, first=5), 1, None, None),
    ("two common days", points(ZIGZAG), points(ZIGZAG, first=4), 2, None, None),
    ("three common days, two changes", points([1, 2, 3]), points([1, 2, 3]), 3, 1, None),
    ("every other day", points(ZIGZAG), points([50, 45, 40], step=2), 3, 1, None),
    ("nothing", [], [], 0, None, None),
]


@pytest.mark.parametrize(
    ("one", "other", "days", "levels", "changes"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_two_scores_are_correlated_over_their_common_days(
    one: list[Point], other: list[Point], days: int, levels: float | None, changes: float | None
) -> None:
    compared = compare(one, other)
    assert (compared.common_days, compared.r_levels, compared.r_changes) == (days, levels, changes)
    assert compared == compare(other, one)
    assert bool(compared.note) is (days < 5 or levels is None)


def test_the_last_score_of_a_day_counts() -> None:
    morning, evening = points([1, 1, 1, 1, 1, 1]), points(ZIGZAG, hour=10)
    both = sorted([*morning, *evening], key=lambda point: point.time)
    assert compare(both, points(ZIGZAG)).r_levels == 1


def test_a_day_is_one_of_utc() -> None:
    def scored(*times: str) -> list[Point]:
        runs: Any = [
            {"run_id": f"run_{time}", "status": "completed", "completed_at": time, "result": {"score": 50}}
            for time in times
        ]
        return points_of(runs)

    late = scored(*(f"2026-01-0{day}T23:30:00-05:00" for day in range(1, 7)))
    early = scored(*(f"2026-01-0{day}T00:01:00Z" for day in range(2, 8)))
    assert compare(late, early).common_days == 6


def test_two_random_walks_are_not_related_by_their_changes() -> None:
    dice = random.Random(5)  # noqa: S311

    def walk() -> list[Point]:
        level, scores = 50.0, list[float]()
        for _ in range(300):
            level += dice.uniform(-0.5, 1)
            scores.append(level)
        return points(scores)

    compared = compare(walk(), walk())
    assert compared.r_levels is not None
    assert compared.r_changes is not None
    assert compared.r_levels > 0.8
    assert abs(compared.r_changes) < 0.2


@both_eras
async def test_every_pair_is_compared_and_named(mode: str) -> None:
    sandbox = Sandbox(start=START, shuffle_lists=True)
    async with connected(sandbox, mode) as call:
        told = await call("compare_scores", tracker_ids=[TESLA, SEMIS, PORTFOLIO])
    assert [one["name"] for one in told["trackers"]] == [
        "Tesla Sentiment",
        "Semiconductor Momentum",
        "Portfolio Risk Monitor",
    ]
    assert [(pair["a"], pair["b"]) for pair in told["pairs"]] == [
        (TESLA, SEMIS),
        (TESLA, PORTFOLIO),
        (SEMIS, PORTFOLIO),
    ]
    own: dict[str, list[Point]] = {}
    for tracker_id in (TESLA, SEMIS):
        runs: Any = [one for one in sandbox.runs() if one["tracker_id"] == tracker_id]
        own[tracker_id] = points_of(runs)
        assert any(one["scores"] == len(own[tracker_id]) for one in told["trackers"])
    expected = compare(own[TESLA], own[SEMIS])
    assert told["pairs"][0]["common_days"] == expected.common_days > 40
    assert told["pairs"][0]["r_levels"] == expected.r_levels
    assert told["pairs"][0]["r_changes"] == expected.r_changes


async def test_a_period_bounds_the_comparison(call: Caller, sandbox: Sandbox) -> None:
    begun, ended = (sandbox.world.clock.now() - timedelta(days=days) for days in (30, 27))
    period = {"start_date": begun.isoformat(), "end_date": ended.isoformat()}
    [pair] = (await call("compare_scores", tracker_ids=[TESLA, SEMIS], **period))["pairs"]
    assert 0 < pair["common_days"] < 5
    assert pair["note"] == "too few common days to conclude anything"


async def test_a_tracker_without_scores_has_no_common_day(call: Caller) -> None:
    [pair] = (await call("compare_scores", tracker_ids=[TESLA, UNUSED]))["pairs"]
    assert (pair["common_days"], "r_levels" in pair) == (0, False)


@virtual_time
async def test_a_tracker_that_cannot_be_read_is_left_out_with_a_note(call: Caller, sandbox: Sandbox) -> None:
    told = await call("compare_scores", tracker_ids=[TESLA, "trk_none", SEMIS])
    assert [(pair["a"], pair["b"]) for pair in told["pairs"]] == [(TESLA, SEMIS)]
    assert told["note"] == "1 trackers could not be read ([not_found]): trk_none."
    sandbox.faults.add(Fault("GET", SEMIS, "status", None, code=500))
    await call.fails("compare_scores", "upstream_error", tracker_ids=[TESLA, SEMIS])


@both_eras
async def test_the_picture_is_told_every_series_and_what_moved_its_latest_points(call: Caller) -> None:
    result = await call.result("compare_scores", tracker_ids=[TESLA, SEMIS])
    assert result.meta is not None
    drawn = result.meta[PICTURE]
    assert [series["tracker_id"] for series in drawn["series"]] == [TESLA, SEMIS]
    assert [len(series["points"]) for series in drawn["series"]] == [118, 60]
    assert len(drawn["factors"]) == 100
    assert all(isinstance(what, str) for what, _, _ in drawn["factors"][RUN])
