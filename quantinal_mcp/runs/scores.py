"""What a tracker's past scores say: statistics without I/O.

Scores are 0 to 100 points, trends points per day, times ISO 8601. Source: `result.score` of completed runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import fmean, linear_regression, pstdev

from quantinal_mcp.models.runs import Run

_SECONDS_PER_DAY = 86_400
_OUTSTANDING_DEVIATIONS = 2.0
_MOST_OUTSTANDING = 5


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
    text = run.get("completed_at") or run.get("started_at")
    if run["status"] != "completed" or score is None or not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return Point(moment if moment.tzinfo else moment.replace(tzinfo=UTC), score, run["run_id"])


def trend_per_day(points: Sequence[Point]) -> float | None:
    """Return the slope of a straight line through the points; None where they span no time."""
    if len(points) < 2:
        return None
    days = [(point.time - points[0].time).total_seconds() / _SECONDS_PER_DAY for point in points]
    if days[-1] <= 0:
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
