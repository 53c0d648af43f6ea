"""What trackers were charged in a period, and what their schedules are to spend: decisions without I/O.

Source: `quants_used` of runs, which counts failed ones too, and each tracker's schedule. Amounts are in quants.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from quantinal_mcp.models.runs import Run, has_ended
from quantinal_mcp.models.trackers import Tracker
from quantinal_mcp.money.cost import Config, estimate, runs_per_day
from quantinal_mcp.money.schedules import is_scheduled, next_run

DAYS_AHEAD = 30


@dataclass(frozen=True, slots=True)
class Spent:
    """What one tracker was charged. `unknown` counts the ended runs that do not say what they cost."""

    manual_quants: float
    scheduled_quants: float
    runs: int
    failed: int
    unknown: int

    @property
    def total(self) -> float:
        """Quants, whoever started the runs."""
        return self.manual_quants + self.scheduled_quants


def spent(runs: Iterable[Run]) -> Spent:
    """Add up what runs were charged; a run that does not say what started it counts as started by hand."""
    by_hand = by_schedule = 0.0
    count = failed = unknown = 0
    for run in runs:
        count += 1
        failed += run["status"] == "failed"
        charged = run.get("quants_used")
        if charged is None:
            unknown += has_ended(run)
        elif is_by_schedule(run):
            by_schedule += charged
        else:
            by_hand += charged
    return Spent(round(by_hand, 6), round(by_schedule, 6), count, failed, unknown)


def is_by_schedule(run: Run) -> bool:
    """Whether a run says that its schedule started it."""
    trigger_type = ((run.get("config_snapshot") or {}).get("trigger_type") or "").lower()
    return trigger_type.startswith(("sched", "cron", "auto"))


def due(tracker: Tracker, now: datetime) -> datetime | None:
    """Return when the schedule runs the tracker next; None where it has none, or one that has ended."""
    return next_run(tracker.get("schedule"), now) if is_scheduled(tracker) else None


def scheduled_per_day(
    tracker: Tracker, now: datetime, prices: Mapping[str, float] | None, past: Iterable[Run]
) -> float | None:
    """Return what the schedule spends a day; 0 where nothing is due, None where a run's cost is unknown."""
    interval = (tracker.get("schedule") or {}).get("interval_minutes")
    if due(tracker, now) is None or interval is None:
        return 0.0
    cost = estimate(Config.of(tracker.get("agent_config")), prices, past).estimated_quants
    return None if cost is None else round(cost * runs_per_day(interval), 4)
