"""Where every tracker stands: one line each from a handful of its runs.

The run list's order is not documented, so a tracker's latest runs are asked for by time: `last_run_at` says where.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from quantinal_mcp.models.common import read_time
from quantinal_mcp.models.runs import Run
from quantinal_mcp.models.trackers import Tracker, threshold
from quantinal_mcp.money.spending import due, scheduled_per_day
from quantinal_mcp.runs.reading import Runs
from quantinal_mcp.runs.scores import Point, points_of, time_of

_WEEK = timedelta(days=7)
_DENSE = timedelta(hours=2)
"""A tracker that runs more often than this has more runs in the last week than fit on one page."""
_MARGIN_BY_HAND = timedelta(days=30)
_SHORTEST_MARGIN = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of a tracker's runs; None is open."""

    start: datetime | None = None
    end: datetime | None = None


def windows(tracker: Tracker, now: datetime) -> list[Window]:
    """Return where the latest score, the one before and that of a week ago are likely to be, about a page in all.

    None where the tracker has never run.
    """
    if "last_run_at" in tracker and tracker["last_run_at"] is None:
        return []
    latest = min(read_time(tracker.get("last_run_at")) or now, now)
    week_ago = now - _WEEK
    interval = _interval(tracker)
    if interval is None or interval >= _DENSE:
        margin = _MARGIN_BY_HAND if interval is None else max(_SHORTEST_MARGIN, 3 * interval)
        return [Window(min(latest, week_ago) - margin)]
    recent = Window(latest - 80 * interval)
    return [recent] if latest <= week_ago else [recent, Window(week_ago - 20 * interval, week_ago)]


def _interval(tracker: Tracker) -> timedelta | None:
    minutes = (tracker.get("schedule") or {}).get("interval_minutes")
    return timedelta(minutes=minutes) if tracker.get("run_mode") == "scheduled" and minutes else None


def older(tracker: Tracker, looked_at: Sequence[Window], runs: Iterable[Run], now: datetime) -> Window | None:
    """Return what to read beyond the windows, where they lack a score that counts and the tracker is older."""
    if not looked_at or looked_at[0].start is None:
        return None
    created, start = read_time(tracker.get("created_at")), looked_at[0].start
    if created is not None and created >= start:
        return None
    points = points_of(runs)
    if len(points) > 1 and points[0].time <= now - _WEEK:
        return None
    return Window(end=start)


async def latest_runs(reader: Runs, tracker: Tracker, now: datetime) -> list[Run]:
    """Return the runs that an overview needs of a tracker, with one request for most.

    Raises what `QuantinalClient.list_runs` raises.
    """
    looked_at = windows(tracker, now)
    runs: dict[str, Run] = {}

    async def read(window: Window) -> None:
        found = await reader.between(tracker["tracker_id"], window.start, window.end, at_once=1)
        runs.update({run["run_id"]: run for run in found.items})

    for window in looked_at:
        await read(window)
    beyond = older(tracker, looked_at, runs.values(), now)
    if beyond is not None:
        await read(beyond)
    return list(runs.values())


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a tracker stands. Scores are 0 to 100, `quants_per_day` is what its schedule spends."""

    tracker: Tracker
    latest: Point | None = None
    previous_score: float | None = None
    change_7d: float | None = None
    threshold: float | None = None
    failed_since: int = 0
    next_run_at: datetime | None = None
    quants_per_day: float | None = None

    @property
    def crossed(self) -> bool:
        """Whether the latest score is at or below the threshold, as notifications count it."""
        return self.latest is not None and self.threshold is not None and self.latest.score <= self.threshold

    @property
    def urgency(self) -> tuple[bool, bool, float, str]:
        """Sorts crossed thresholds first, then what fails, then the largest falls."""
        return not self.crossed, not self.failed_since, self.change_7d or 0.0, self.tracker.get("name") or ""


def standing(
    tracker: Tracker, runs: Sequence[Run], now: datetime, prices: Mapping[str, float] | None = None
) -> Standing:
    """Say where a tracker stands, from the runs that were read of it."""
    points = points_of(runs)
    latest = points[-1] if points else None
    failed = [time_of(run) for run in runs if run["status"] == "failed"]
    next_run_at = due(tracker, now)
    return Standing(
        tracker=tracker,
        latest=latest,
        previous_score=points[-2].score if len(points) > 1 else None,
        change_7d=_change_since(points, now - _WEEK),
        threshold=threshold(tracker),
        failed_since=sum(latest is None or (time is not None and time > latest.time) for time in failed),
        next_run_at=next_run_at,
        quants_per_day=scheduled_per_day(tracker, now, prices, runs) if next_run_at is not None else None,
    )


def _change_since(points: Sequence[Point], moment: datetime) -> float | None:
    """The latest score against the last one at or before `moment`, else against the earliest."""
    if len(points) < 2:
        return None
    before = [point for point in points if point.time <= moment]
    return round(points[-1].score - (before[-1] if before else points[0]).score, 2)
