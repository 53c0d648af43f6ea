"""What runs will cost and what they have found: estimates and the history of scores."""

from __future__ import annotations

from statistics import fmean
from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from quantinal_mcp.errors import InvalidRequest
from quantinal_mcp.models.common import TrackerId, iso_utc
from quantinal_mcp.models.trackers import ReasoningMode
from quantinal_mcp.money.cost import needs_consent
from quantinal_mcp.protocol.arguments import From, Until
from quantinal_mcp.protocol.caller import AppContext, Caller, app_of
from quantinal_mcp.protocol.offers import READS, Offer
from quantinal_mcp.runs.durations import spell
from quantinal_mcp.runs.quotes import quote
from quantinal_mcp.runs.scores import Point, outstanding, points_of, trend_per_day
from quantinal_mcp.tools.triggering import Cost, cost_of


class CostAnswer(Cost, total=False):
    """What a run would cost, in quants, and how long such runs take."""

    reasoning_mode: str
    usually_takes: str | None
    needs_consent: bool
    next_step: str


class ScorePoint(TypedDict, total=False):
    """One completed run's score."""

    time: str
    score: float
    run_id: str


class ScoreStatistics(TypedDict, total=False):
    """Scores are points from 0 to 100; the trend is points per day."""

    latest: float
    mean: float
    minimum: float
    maximum: float
    change: float | None
    trend_per_day: float | None


class ScoreHistory(TypedDict, total=False):
    """A tracker's scores, oldest first, and what stands out."""

    points: list[ScorePoint]
    statistics: ScoreStatistics | None
    outstanding: list[ScorePoint]
    truncated: bool | None
    next_step: str


async def estimate_run_cost(
    ctx: AppContext, caller: Caller, tracker_id: TrackerId, reasoning_mode: ReasoningMode | None = None
) -> CostAnswer:
    """Estimate what a run would cost in quants, before triggering it; reasoning_mode compares another mode."""
    quoted = await quote(caller.client, caller.runs, tracker_id, reasoning_mode)
    threshold = app_of(ctx).settings.confirm_above_quants
    return {
        **cost_of(quoted.expected),
        "reasoning_mode": quoted.config.reasoning_mode,
        "usually_takes": spell(quoted.typical_seconds) if quoted.typical_seconds is not None else None,
        "needs_consent": needs_consent(quoted.expected, quoted.config, threshold),
        "budget_left": await caller.triggers.budget_left(),
        "next_step": f"trigger_run(tracker_id={tracker_id})",
    }


async def get_score_history(
    caller: Caller,
    tracker_id: TrackerId,
    start_date: From | None = None,
    end_date: Until | None = None,
    limit: Annotated[int, Field(ge=1, le=500, description="latest points")] = 50,
) -> ScoreHistory:
    """Get a tracker's scores over time: points, mean, range, change since the previous run, trend per day, and the runs
    that stand out."""
    if start_date is not None and end_date is not None and end_date < start_date:
        raise InvalidRequest("end_date is before start_date.", "Nothing was sent.")
    dates = {
        "start_date": iso_utc(start_date) if start_date else None,
        "end_date": iso_utc(end_date) if end_date else None,
    }
    # The list's order is not documented, so the latest points are known only once every page is read.
    listed = await caller.runs.matching(tracker_id, {"status": "completed", **dates})
    points = points_of(listed.items)[-limit:]
    step = f"trigger_run(tracker_id={tracker_id}) makes the first score"
    if points:
        far = outstanding(points)
        shown = far[0] if far else points[-1]
        step = f"get_run(tracker_id={tracker_id}, run_id={shown.run_id}) tells why"
    return {
        "points": [_shown(point) for point in points],
        "statistics": _statistics(points),
        "outstanding": [_shown(point) for point in outstanding(points)],
        "truncated": None if listed.is_whole else True,
        "next_step": step,
    }


def _shown(point: Point) -> ScorePoint:
    return {"time": iso_utc(point.time), "score": point.score, "run_id": point.run_id}


def _statistics(points: list[Point]) -> ScoreStatistics | None:
    if not points:
        return None
    scores = [point.score for point in points]
    return {
        "latest": scores[-1],
        "mean": round(fmean(scores), 2),
        "minimum": min(scores),
        "maximum": max(scores),
        "change": round(scores[-1] - scores[-2], 2) if len(scores) > 1 else None,
        "trend_per_day": trend_per_day(points),
    }


TOOLS = (
    Offer(estimate_run_cost, "Estimate run cost", "runs", READS),
    Offer(get_score_history, "Get score history", "runs", READS),
)
