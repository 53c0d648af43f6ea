"""What a schedule will spend: schedules cost money too, and nobody watches them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from typing_extensions import TypedDict

from quantinal_mcp.client import QuantinalClient
from quantinal_mcp.client.pages import list_all_runs
from quantinal_mcp.errors import InvalidRequest
from quantinal_mcp.models.common import Object, iso_utc
from quantinal_mcp.models.runs import Run
from quantinal_mcp.models.text import on_one_line
from quantinal_mcp.models.trackers import Schedule, Tracker
from quantinal_mcp.money.ceilings import Ceilings
from quantinal_mcp.money.cost import Config, Estimate, estimate, needs_consent, quants, runs_per_day
from quantinal_mcp.money.prices import prices


class ScheduleCost(TypedDict, total=False):
    """What a schedule is expected to spend, in quants."""

    quants_per_run: float | None
    quants_per_day: float | None
    runs_per_day: float
    at_least_per_run: float | None
    basis: str
    unknowns: list[str]


@dataclass(frozen=True, slots=True)
class Spending:
    """A schedule that begins, or becomes dearer or more frequent."""

    expected: Estimate
    config: Config
    interval_minutes: float

    @property
    def per_day(self) -> float | None:
        """Quants a day, where a run's cost is known."""
        cost = self.expected.estimated_quants
        return None if cost is None else round(cost * runs_per_day(self.interval_minutes), 4)

    def described(self) -> ScheduleCost:
        """Return it as an answer states it."""
        return {
            "quants_per_run": self.expected.estimated_quants,
            "quants_per_day": self.per_day,
            "runs_per_day": round(runs_per_day(self.interval_minutes), 3),
            "at_least_per_run": self.expected.at_least,
            "basis": self.expected.basis,
            "unknowns": list(self.expected.unknowns),
        }

    def is_to_be_asked(self, threshold: float) -> bool:
        """Whether a day costs more than the threshold, or an unknown amount that is not the cheapest kind."""
        if self.per_day is None:
            return needs_consent(self.expected, self.config, threshold)
        return self.per_day > threshold

    def question(self, name: str) -> str:
        """Return what the user is asked."""
        times = quants(runs_per_day(self.interval_minutes))
        day = "an unknown amount" if self.per_day is None else f"about {quants(self.per_day)} quants"
        asked = f'Let tracker "{on_one_line(name)}" run by itself {times} times a day?'
        return f"{asked} A run costs {self.expected}, a day {day}."


def is_scheduled(tracker: Tracker | Object) -> bool:
    """Whether it runs by itself."""
    return tracker.get("run_mode") == "scheduled" and bool(tracker.get("schedule"))


async def spending(
    client: QuantinalClient, before: Tracker | None, after: Object, ceilings: Ceilings
) -> Spending | None:
    """Return what the schedule of `after` will spend if that is more than `before` did, else None.

    `after` is the whole tracker as it will be; `before` is None for one to be created.

    Raises:
        OverBudget: One run is above the operator's ceiling.
    """
    if not is_scheduled(after):
        return None
    config, interval = Config.of(after.get("agent_config")), float(after["schedule"]["interval_minutes"])
    past: list[Run] = []
    costs = await prices(client)
    if before is not None:
        past = await list_all_runs(client, before["tracker_id"])
    expected = estimate(config, costs, past)
    if before is not None and is_scheduled(before):
        old_config = Config.of(before.get("agent_config"))
        old_interval = float((before.get("schedule") or {}).get("interval_minutes") or 1)
        if interval >= old_interval and not _is_dearer(expected, estimate(old_config, costs, past), config, old_config):
            return None
    ceilings.check(expected, None)
    return Spending(expected, config, interval)


def _is_dearer(new: Estimate, old: Estimate, config: Config, old_config: Config) -> bool:
    if config == old_config:
        return False
    if new.estimated_quants is None or old.estimated_quants is None:
        return True
    return new.estimated_quants > old.estimated_quants


def check_order(schedule: Schedule) -> None:
    """Refuse a schedule that ends before it starts.

    Raises:
        InvalidRequest: It does.
    """
    end = schedule.get("end_time")
    if end is not None and end <= schedule["start_time"]:
        raise InvalidRequest("schedule.end_time must be after schedule.start_time.", "Nothing was sent.")


def as_sent(schedule: Schedule | None) -> Object | None:
    """Return a schedule as JSON, its times in UTC."""
    if schedule is None:
        return None
    fields = cast("dict[str, Any]", schedule).items()
    return {key: iso_utc(value) if isinstance(value, datetime) else value for key, value in fields}
