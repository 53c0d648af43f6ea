"""What runs will cost and what they have found: estimates, the history of scores, and scores beside each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import combinations
from statistics import fmean
from typing import Annotated

from mcp_types import CallToolResult
from pydantic import Field
from typing_extensions import TypedDict

from quantinal_mcp.accounts.account import Account
from quantinal_mcp.client.pages import Listed
from quantinal_mcp.client.several import MOST_AT_ONCE, note_on, of_each
from quantinal_mcp.errors import InvalidRequest
from quantinal_mcp.models.common import Timestamp, TrackerId, iso_minute
from quantinal_mcp.models.runs import Run
from quantinal_mcp.models.trackers import ReasoningMode, Tracker, score_meaning, threshold
from quantinal_mcp.money.ceilings import suggestion
from quantinal_mcp.money.cost import needs_consent
from quantinal_mcp.protocol.arguments import check_period
from quantinal_mcp.protocol.caller import AppContext, Caller, app_of
from quantinal_mcp.protocol.offers import READS, Offer, answered
from quantinal_mcp.runs.durations import spell
from quantinal_mcp.runs.picture import PICTURE, picture
from quantinal_mcp.runs.quotes import quote
from quantinal_mcp.runs.scores import Point, compare, outstanding, points_of, trend_per_day
from quantinal_mcp.tools.triggering import Cost, cost_of

_EXPLAINED_OF_EACH = 50


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
    """Over the whole period. Scores are points from 0 to 100, `change` is since the run before, the trend is points
    per day."""

    latest: float
    mean: float
    minimum: float
    maximum: float
    change: float | None
    change_over_period: float | None
    trend_per_day: float | None
    failed_runs: int


class ScoreHistory(TypedDict, total=False):
    """A tracker's scores: the latest points as [time, score], oldest first, and what stands out in the period."""

    name: str | None
    score_meaning: str | None
    threshold: float | None
    points: list[Annotated[list[str | float], Field(min_length=2, max_length=2)]]
    points_total: int
    points_shown: int
    statistics: ScoreStatistics
    outstanding: list[ScorePoint]
    latest_run_id: str | None
    truncated: bool | None
    next_step: str


class Compared(TypedDict, total=False):
    """A tracker that was compared."""

    tracker_id: str
    name: str | None
    score_meaning: str | None
    scores: int
    truncated: bool | None


class Pair(TypedDict, total=False):
    """Two trackers by their ids. `common_days` are UTC days on which both have a score; r is Pearson's, -1 to 1."""

    a: str
    b: str
    common_days: int
    r_levels: float | None
    r_changes: float | None
    note: str | None


class ScoreComparison(TypedDict, total=False):
    """Every pair of the trackers."""

    trackers: list[Compared]
    pairs: list[Pair]
    note: str | None


async def estimate_run_cost(
    ctx: AppContext, caller: Caller, tracker_id: TrackerId, reasoning_mode: ReasoningMode | None = None
) -> CostAnswer:
    """Estimate what a run would cost in quants, before triggering it; reasoning_mode compares another mode."""
    quoted = await quote(caller.client, caller.runs, tracker_id, reasoning_mode)
    threshold = app_of(ctx).settings.confirm_above_quants
    must_agree = needs_consent(quoted.expected, quoted.config, threshold)
    own_mode = (quoted.tracker.get("agent_config") or {}).get("reasoning_mode") or "basic"
    if quoted.config.reasoning_mode != own_mode:
        # A run would use the tracker's mode, not the one that was asked about.
        step = f"trigger_run would run in {own_mode} mode, the tracker's own; update_tracker changes that"
    elif must_agree:
        step = (
            f"ask the user; if they agree, trigger_run(tracker_id={tracker_id}, "
            f"max_quants={suggestion(quoted.expected)})"
        )
    else:
        step = f"trigger_run(tracker_id={tracker_id})"
    return {
        **cost_of(quoted.expected),
        "reasoning_mode": quoted.config.reasoning_mode,
        "usually_takes": spell(quoted.typical_seconds) if quoted.typical_seconds is not None else None,
        "needs_consent": must_agree,
        "budget_left": await caller.triggers.budget_left(),
        "next_step": step,
    }


async def get_score_history(
    caller: Caller,
    tracker_id: TrackerId,
    start_date: Timestamp | None = None,
    end_date: Timestamp | None = None,
    limit: Annotated[int, Field(ge=1, le=500, description="latest points")] = 50,
) -> Annotated[CallToolResult, ScoreHistory]:
    """Get a tracker's scores over time and, over the whole period, mean, range, changes, trend per day, failed runs and
    the runs that stand out."""
    check_period(start_date, end_date)
    tracker, listed = await _scored(caller, tracker_id, start_date, end_date)
    runs = listed.items
    points = points_of(runs)
    shown, far = points[-limit:], outstanding(points)
    history: ScoreHistory = {
        "name": tracker.get("name"),
        "score_meaning": score_meaning(tracker),
        "threshold": threshold(tracker),
        "points": [[iso_minute(point.time), point.score] for point in shown],
        "points_total": len(points),
        "points_shown": len(shown),
        "statistics": _statistics(points, sum(run["status"] == "failed" for run in runs)),
        "outstanding": [_shown(point) for point in far],
        "latest_run_id": points[-1].run_id if points else None,
        "truncated": None if listed.is_whole else True,
        "next_step": _after_history(tracker_id, runs, points),
    }
    return answered(history, {PICTURE: picture([(tracker, points)], runs, shown)})


async def compare_scores(
    caller: Caller,
    tracker_ids: Annotated[list[TrackerId], Field(min_length=2, max_length=10)],
    start_date: Timestamp | None = None,
    end_date: Timestamp | None = None,
) -> Annotated[CallToolResult, ScoreComparison]:
    """Say whether trackers' scores are related: Pearson's r of each pair over common days. r_changes tells whether they
    move together; r_levels alone may only share a trend."""
    check_period(start_date, end_date)
    asked = list(dict.fromkeys(tracker_ids))
    if len(asked) < 2:
        raise InvalidRequest("tracker_ids names one tracker only.", "Nothing was sent; give two to ten different ones.")
    read = await of_each(asked, lambda tracker_id: _scored(caller, tracker_id, start_date, end_date, at_once=1))
    if len(read.answers) < 2:
        raise read.failures[0][1]
    points = {tracker_id: points_of(listed.items) for tracker_id, (_, listed) in read.answers}
    comparison: ScoreComparison = {
        "trackers": [
            {
                "tracker_id": tracker_id,
                "name": tracker.get("name"),
                "score_meaning": score_meaning(tracker),
                "scores": len(points[tracker_id]),
                "truncated": None if listed.is_whole else True,
            }
            for tracker_id, (tracker, listed) in read.answers
        ],
        "pairs": [_pair(one, other, points) for one, other in combinations(points, 2)],
        "note": note_on(read.failures, "trackers"),
    }
    explained = [point for found in points.values() for point in found[-_EXPLAINED_OF_EACH:]]
    runs = [run for _, (_, listed) in read.answers for run in listed.items]
    series = [(tracker, points[tracker_id]) for tracker_id, (tracker, _) in read.answers]
    return answered(comparison, {PICTURE: picture(series, runs, explained)})


async def _scored(
    account: Account,
    tracker_id: str,
    start_date: datetime | None,
    end_date: datetime | None,
    at_once: int = MOST_AT_ONCE,
) -> tuple[Tracker, Listed[Run]]:
    """Return a tracker and its runs in a period."""
    tracker = await account.client.get_tracker(tracker_id)
    return tracker, await account.runs.between(tracker_id, start_date, end_date, at_once=at_once)


def _shown(point: Point) -> ScorePoint:
    return {"time": iso_minute(point.time), "score": point.score, "run_id": point.run_id}


def _statistics(points: Sequence[Point], failed: int) -> ScoreStatistics:
    if not points:
        return {"failed_runs": failed}
    scores = [point.score for point in points]
    return {
        "latest": scores[-1],
        "mean": round(fmean(scores), 2),
        "minimum": min(scores),
        "maximum": max(scores),
        "change": round(scores[-1] - scores[-2], 2) if len(scores) > 1 else None,
        "change_over_period": round(scores[-1] - scores[0], 2) if len(scores) > 1 else None,
        "trend_per_day": trend_per_day(points),
        "failed_runs": failed,
    }


def _after_history(tracker_id: str, runs: Sequence[Run], points: Sequence[Point]) -> str:
    if points:
        return f"get_run(tracker_id={tracker_id}, run_id={points[-1].run_id}) explains the latest score"
    if runs:
        return f"list_runs(tracker_id={tracker_id}) shows why there is no score"
    return f"no run in this period; estimate_run_cost(tracker_id={tracker_id}) says what one costs"


def _pair(one: str, other: str, points: Mapping[str, Sequence[Point]]) -> Pair:
    compared = compare(points[one], points[other])
    return {
        "a": one,
        "b": other,
        "common_days": compared.common_days,
        "r_levels": compared.r_levels,
        "r_changes": compared.r_changes,
        "note": compared.note,
    }


TOOLS = (
    Offer(estimate_run_cost, "Estimate run cost", "runs", READS, "price quants expensive"),
    Offer(get_score_history, "Get score history", "runs", READS, "trend chart graph over time"),
    Offer(compare_scores, "Compare scores", "runs", READS, "correlation related pearson"),
)
