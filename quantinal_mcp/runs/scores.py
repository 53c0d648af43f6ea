"""What past scores say, of one tracker and of two beside each other: statistics without I/O.

Scores are 0 to 100 points, trends points per day, days UTC days. Source: `result.score` of completed runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise
from statistics import StatisticsError, correlation, fmean, linear_regression, pstdev

from quantinal_mcp.models.common import read_time
from quantinal_mcp.models.runs import Run

_SECONDS_PER_DAY = 86_400
_OUTSTANDING_DEVIATIONS = 2.0
_MOST_OUTSTANDING = 5
_FEW_DAYS = 5
_FEWEST_PAIRS = 3
"""Any two points lie on a straight line."""


@dataclass(frozen=True, slots=True)
class Point:
    """One completed run's score."""

    time: datetime
    score: float
    run_id: str


def points_of(runs: Iterable[Run]) -> list[Point]:
    """Return the scores of completed runs, oldest first; runs without a score or a time are left out."""
    found = [point for run in runs if (point := _point(run)) is not None]
    return sorted(found, key=lambda point: (point.time, point.run_id))


def _point(run: Run) -> Point | None:
    score = (run.get("result") or {}).get("score")
    time = time_of(run)
    if run["status"] != "completed" or score is None or time is None:
        return None
    return Point(time, score, run["run_id"])


def time_of(run: Run) -> datetime | None:
    """Return when a run ended, else when it began, as far as it says."""
    return read_time(run.get("completed_at")) or read_time(run.get("started_at")) or read_time(run.get("created_at"))


def trend_per_day(points: Sequence[Point]) -> float | None:
    """Return the slope of a straight line through the points; None where they span less than a day."""
    if len(points) < 2:
        return None
    days = [(point.time - points[0].time).total_seconds() / _SECONDS_PER_DAY for point in points]
    if days[-1] < 1:
        return None
    return round(linear_regression(days, [point.score for point in points]).slope, 3)


def outstanding(points: Sequence[Point]) -> list[Point]:
    """Return the points more than two standard deviations from the mean, the farthest first, at most five."""
    if len(points) < 3:
        return []
    scores = [point.score for point in points]
    middle, spread = fmean(scores), pstdev(scores)
    far = [point for point in points if abs(point.score - middle) > _OUTSTANDING_DEVIATIONS * spread > 0]
    return sorted(far, key=lambda point: -abs(point.score - middle))[:_MOST_OUTSTANDING]


@dataclass(frozen=True, slots=True)
class Comparison:
    """How two trackers' scores move beside each other; an r is None where it would say nothing."""

    common_days: int
    r_levels: float | None
    r_changes: float | None
    note: str | None


def compare(one: Sequence[Point], other: Sequence[Point]) -> Comparison:
    """Correlate two trackers over the days on which both have a score.

    Two scores that both rise correlate in their levels whatever they are about, so their changes from one common day
    to the next are correlated, too.
    """
    first, second = _by_day(one), _by_day(other)
    days = sorted(first.keys() & second.keys())
    levels = [first[day] for day in days], [second[day] for day in days]
    changes = _changes(levels[0]), _changes(levels[1])
    r_levels, r_changes = _pearson(*levels), _pearson(*changes)
    notes: list[str] = []
    if len(days) < _FEW_DAYS:
        notes.append("too few common days to conclude anything")
    elif r_levels is None or r_changes is None:
        notes.append("one of them does not move")
    return Comparison(len(days), r_levels, r_changes, "; ".join(notes) or None)


def _by_day(points: Sequence[Point]) -> Mapping[date, float]:
    """The last score of each day."""
    return {point.time.date(): point.score for point in points}


def _changes(scores: Sequence[float]) -> list[float]:
    return [after - before for before, after in pairwise(scores)]


def _pearson(one: Sequence[float], other: Sequence[float]) -> float | None:
    if len(one) < _FEWEST_PAIRS:
        return None
    try:
        return round(correlation(one, other), 2)
    except StatisticsError:  # one of them is constant
        return None
