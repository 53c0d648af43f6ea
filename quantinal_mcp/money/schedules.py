"""What a schedule will spend: schedules cost money too, and nobody watches them. Amounts are in quants.

Source: the `schedule` object of POST and PATCH trackers. Times are UTC.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from typing_extensions import TypedDict

from quantinal_mcp.errors import InvalidRequest, NeedsConsent, OverBudget
from quantinal_mcp.models.common import Object, iso_utc
from quantinal_mcp.models.text import on_one_line
from quantinal_mcp.models.trackers import Schedule, ScheduleChange
from quantinal_mcp.money.ceilings import Ceilings, suggestion
from quantinal_mcp.money.cost import Config, Estimate, needs_consent, quants, runs_per_day

_DAY_MINUTES = 1440
_NOISE = 1e-9


class ScheduleCost(TypedDict, total=False):
    """What a schedule is expected to spend, in quants."""

    quants_per_run: float | None
    quants_per_day: float | None
    quants_per_30_days: float | None
    runs_per_day: float
    at_least_per_run: float | None
    basis: str
    unknowns: list[str] | None


@dataclass(frozen=True, slots=True)
class ScheduledSpending:
    """What a schedule spends once it is as planned.

    `rises` says that it begins to run, or runs earlier, longer, more often or dearer than before.
    """

    expected: Estimate
    config: Config
    interval_minutes: float
    next_run_at: datetime | None
    rises: bool

    @property
    def per_day(self) -> float | None:
        """Quants a day, where a run's cost is known."""
        return self._a_day(self.expected.estimated_quants)

    @property
    def least_per_day(self) -> float | None:
        """Quants a day at the least, where as much is known of a run's cost."""
        return self.per_day if self.per_day is not None else self._a_day(self.expected.at_least)

    def _a_day(self, cost: float | None) -> float | None:
        return None if cost is None else round(cost * runs_per_day(self.interval_minutes), 4)

    def costs_as(self, other: ScheduledSpending | None) -> bool:
        """Whether it costs what another one does, whenever each runs next and however that is known."""
        if other is None or self.interval_minutes != other.interval_minutes:
            return False
        ours, theirs = self.expected, other.expected
        return (ours.estimated_quants, ours.at_least) == (theirs.estimated_quants, theirs.at_least)

    def described(self) -> ScheduleCost:
        """Return it as an answer states it."""
        return {
            "quants_per_run": self.expected.estimated_quants,
            "quants_per_day": self.per_day,
            "quants_per_30_days": None if self.per_day is None else round(self.per_day * 30, 4),
            "runs_per_day": round(runs_per_day(self.interval_minutes), 3),
            "at_least_per_run": self.expected.at_least if self.expected.estimated_quants is None else None,
            "basis": self.expected.basis,
            "unknowns": list(self.expected.unknowns) or None,
        }

    def question(self, name: str, ceilings: Ceilings, max_quants_per_day: float | None, *, can_ask: bool) -> str | None:
        """Return what the user is to be asked, None where nothing is.

        Raises:
            OverBudget: A run, or the schedule in the budget's period, is above a ceiling of the operator.
            NeedsConsent: Above `max_quants_per_day`; or the client cannot ask, and the call does not carry it.
        """
        if not self.rises:
            return None
        self._check_ceilings(ceilings, max_quants_per_day)
        least = self.least_per_day
        if max_quants_per_day is not None and least is not None and least > max_quants_per_day + _NOISE:
            about = "about" if self.per_day is not None else "at least"
            raise NeedsConsent(
                f"This schedule would cost {about} {quants(least)} quants a day, which is above "
                f"max_quants_per_day {quants(max_quants_per_day)}.",
                "Ask the user whether to raise it, or to run less often. Nothing was sent.",
            )
        # What one run of unknown cost may do unasked, several a day may not.
        dear_day = self.interval_minutes < _DAY_MINUTES if self.per_day is None else self.per_day > ceilings.ask_above
        if not dear_day and not needs_consent(self.expected, self.config, ceilings.ask_above):
            return None
        if can_ask:
            return f'Let tracker "{on_one_line(name)}" run by itself {self._often()}? {self._costs()}'
        if max_quants_per_day is None:
            per_day = Estimate(self.per_day, None, "")
            raise NeedsConsent(
                f"The user has to agree to this schedule, which would run {self._often()}. {self._costs()}",
                f"Ask the user, then call again with max_quants_per_day {suggestion(per_day)}. Nothing was sent.",
            )
        return None

    def _check_ceilings(self, ceilings: Ceilings, max_quants_per_day: float | None) -> None:
        ceilings.check(self.expected, None)
        if ceilings.budget is None:
            return
        known = self.expected.estimated_quants
        cost = known if known is not None else self.expected.at_least
        per_day = self.per_day if self.per_day is not None else max_quants_per_day
        if per_day is None:
            raise OverBudget(
                "What this schedule costs is unknown, so the budget cannot vouch for it.",
                "Give max_quants_per_day, the most that a day of it may cost. Nothing was sent.",
            )
        in_period = max(max(per_day, self.least_per_day or 0.0) * ceilings.budget.days, cost or 0.0)
        if in_period > ceilings.budget.limit + _NOISE:
            raise OverBudget(
                f"This schedule would cost about {quants(in_period)} quants per {ceilings.budget.period}, and the "
                f"whole budget is {ceilings.budget}.",
                "Tell the user: run it less often, or the operator raises QUANTINAL_BUDGET_QUANTS. Nothing was sent.",
            )

    def _often(self) -> str:
        if self.interval_minutes <= _DAY_MINUTES:
            times = quants(runs_per_day(self.interval_minutes))
            return "once a day" if times == "1" else f"{times} times a day"
        return f"every {quants(self.interval_minutes / _DAY_MINUTES)} days"

    def _costs(self) -> str:
        if self.per_day is None:
            return f"A run costs {self.expected}, a day an unknown amount."
        day, month = quants(self.per_day), quants(self.per_day * 30)
        return f"A run costs {self.expected}, a day about {day} quants, 30 days about {month}."


def is_scheduled(tracker: Mapping[str, Any]) -> bool:
    """Whether it runs by itself."""
    return tracker.get("run_mode") == "scheduled" and bool(tracker.get("schedule"))


def next_run(schedule: Mapping[str, Any] | None, now: datetime) -> datetime | None:
    """Return when a schedule begins its next run; None where it has ended, or does not say what it is."""
    given = schedule or {}
    start, end, interval = _time(given.get("start_time")), _time(given.get("end_time")), given.get("interval_minutes")
    if start is None or not isinstance(interval, int | float) or not interval > 0:
        return None
    passed = max(0, math.ceil((now - start) / timedelta(minutes=interval)))
    try:
        moment = start + passed * timedelta(minutes=interval)
    except OverflowError:
        return None
    return None if end is not None and moment >= end else moment


def _time(text: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return moment if moment is None or moment.tzinfo else moment.replace(tzinfo=UTC)


def runs_more(before: Mapping[str, Any], after: Mapping[str, Any], now: datetime) -> bool:
    """Whether a schedule begins to run, or runs earlier, more often or longer than it did."""
    new: Mapping[str, Any] = after.get("schedule") or {}
    old: Mapping[str, Any] = before.get("schedule") or {}
    coming, came = next_run(new, now), next_run(old, now) if is_scheduled(before) else None
    if coming is None:
        return False
    if came is None or coming < came or float(new["interval_minutes"]) < float(old["interval_minutes"]):
        return True
    end, ended = _time(new.get("end_time")), _time(old.get("end_time"))
    return ended is not None and (end is None or end > ended)


def is_dearer(new: Estimate, old: Estimate, config: Config, old_config: Config) -> bool:
    """Whether a run of the new configuration costs more than one of the old, as far as that is known."""
    if config == old_config:
        return False
    if new.estimated_quants is None or old.estimated_quants is None:
        return True
    return new.estimated_quants > old.estimated_quants


def check_schedule(schedule: Mapping[str, Any] | None, now: datetime) -> None:
    """Refuse a scheduled tracker whose schedule is missing, incomplete or ends before it starts.

    Raises:
        InvalidRequest: It is one of these.
    """
    if not schedule:
        raise InvalidRequest(
            "run_mode=scheduled needs a schedule.",
            "Nothing was sent; give schedule, or run_mode=manual for one that runs only when it is told to.",
        )
    soon = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    examples = {"start_time": iso_utc(soon), "interval_minutes": "1440 for daily"}
    missing = [f"schedule.{name}, like {like}" for name, like in examples.items() if schedule.get(name) is None]
    if missing:
        raise InvalidRequest(
            f"Give {', and '.join(missing)}, too: there is no schedule yet to take it from.", "Nothing was sent."
        )
    start, end = _time(schedule["start_time"]), _time(schedule.get("end_time"))
    if start is not None and end is not None and end <= start:
        raise InvalidRequest("schedule.end_time must be after schedule.start_time.", "Nothing was sent.")


def as_sent(schedule: Schedule | ScheduleChange | None) -> Object | None:
    """Return a schedule as JSON, its times in UTC."""
    if schedule is None:
        return None
    fields = cast("dict[str, Any]", schedule).items()
    return {key: iso_utc(value) if isinstance(value, datetime) else value for key, value in fields}


def remarks(schedule: Mapping[str, Any] | None, now: datetime) -> str | None:
    """Return what whoever sets such a schedule is likely not to think of; None where there is nothing."""
    given = schedule or {}
    notes: list[str] = []
    start, interval = _time(given.get("start_time")), given.get("interval_minutes")
    if next_run(given, now) is None:
        notes.append(f"This schedule has ended: it is {iso_utc(now.replace(microsecond=0))} now, and it will not run.")
    elif start is not None and start < now:
        notes.append("start_time lies in the past; the next run is counted on from it.")
    if isinstance(interval, int | float) and interval % _DAY_MINUTES == 0:
        notes.append("It runs at the same UTC time: by local clocks an hour off once summer time begins or ends.")
    return " ".join(notes) or None
