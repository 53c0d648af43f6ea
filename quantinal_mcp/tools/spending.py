"""Spending: what trackers were charged, and what their schedules will spend."""

from __future__ import annotations

from datetime import UTC, datetime

from typing_extensions import TypedDict

from quantinal_mcp.accounts.account import Account
from quantinal_mcp.client.several import list_trackers_of, note_on, of_each
from quantinal_mcp.errors import InvalidRequest
from quantinal_mcp.models.common import SpaceId, Timestamp, iso_minute, read_time
from quantinal_mcp.models.runs import Run
from quantinal_mcp.models.text import on_one_line
from quantinal_mcp.models.trackers import Tracker
from quantinal_mcp.money.prices import prices
from quantinal_mcp.money.spending import DAYS_AHEAD, Spent, due, scheduled_per_day, spent
from quantinal_mcp.protocol.arguments import check_period
from quantinal_mcp.protocol.caller import Caller
from quantinal_mcp.protocol.offers import READS, Offer


class TrackerSpending(TypedDict, total=False):
    """What one tracker's runs were charged in the period, failed ones included."""

    tracker_id: str
    name: str | None
    manual_quants: float
    scheduled_quants: float
    runs: int
    failed: int


class BudgetLeft(TypedDict, total=False):
    """What the operator's budget has left, and until when that counts."""

    left: float | None
    until: str | None


class SpendingAnswer(TypedDict, total=False):
    """Quants: what the period cost, by tracker, and what schedules are to spend."""

    start_date: str
    end_date: str
    total_quants: float
    trackers: list[TrackerSpending]
    scheduled_per_day: float
    scheduled_per_30_days: float
    budget: BudgetLeft | None
    note: str | None


async def get_spending(
    caller: Caller,
    space_id: SpaceId | None = None,
    start_date: Timestamp | None = None,
    end_date: Timestamp | None = None,
) -> SpendingAnswer:
    """Get what runs were charged, by tracker (default: this calendar month, UTC), and what schedules will spend.
    Deleted runs are not counted."""
    now = caller.now()
    check_period(start_date, end_date)
    if start_date is not None and end_date is None and start_date > now:
        raise InvalidRequest(
            "start_date lies in the future, where nothing has been charged yet.",
            "Nothing was sent; what schedules will spend is in the answer for any period.",
        )
    until = end_date or now
    since = start_date or until.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    trackers, unread = await list_trackers_of(caller.client, space_id)

    in_part: list[str] = []

    async def runs_of(tracker: Tracker) -> list[Run]:
        if not _ran_since(tracker, since):
            return []
        listed = await caller.runs.between(tracker["tracker_id"], since, end_date, at_once=1)
        if not listed.is_whole:
            in_part.append(_name(tracker))
        return listed.items

    read = await of_each(trackers, runs_of)
    costs = await prices(caller.client) if any(due(tracker, now) for tracker in trackers) else None
    ahead = {tracker["tracker_id"]: scheduled_per_day(tracker, now, costs, runs) for tracker, runs in read.answers}
    per_day = sum(amount for amount in ahead.values() if amount is not None)
    charged = [(tracker, spent(runs)) for tracker, runs in read.answers if runs]
    charged.sort(key=lambda one: -one[1].total)
    unknown = [(_name(tracker), error) for tracker, error in read.failures]
    notes = [
        unread,
        note_on(unknown, "trackers"),
        _named("Not all runs were read, so that more was charged, of", in_part),
        _unknown_charges(charged),
        _unknown_schedules(trackers, ahead),
    ]
    return {
        "start_date": iso_minute(since),
        "end_date": iso_minute(until),
        "total_quants": round(sum(one.total for _, one in charged), 6),
        "trackers": [_line(tracker, one) for tracker, one in charged],
        "scheduled_per_day": round(per_day, 4),
        "scheduled_per_30_days": round(per_day * DAYS_AHEAD, 4),
        "budget": await _budget_left(caller),
        "note": " ".join(filter(None, notes)) or None,
    }


async def _budget_left(caller: Account) -> BudgetLeft | None:
    allowance = caller.ceilings.allowance(caller.journal.now())
    left = await caller.triggers.budget_left()
    if allowance is None or left is None:
        return None
    return {"left": round(left, 6), "until": iso_minute(datetime.fromtimestamp(allowance.until, UTC))}


def _ran_since(tracker: Tracker, since: datetime) -> bool:
    """Whether a tracker may have runs in the period; one that does not say when it last ran may."""
    if "last_run_at" not in tracker:
        return True
    latest = read_time(tracker["last_run_at"])
    return latest is not None and latest >= since


def _name(tracker: Tracker) -> str:
    return on_one_line(tracker.get("name") or tracker["tracker_id"])


def _line(tracker: Tracker, one: Spent) -> TrackerSpending:
    return {
        "tracker_id": tracker["tracker_id"],
        "name": tracker.get("name"),
        "manual_quants": one.manual_quants,
        "scheduled_quants": one.scheduled_quants,
        "runs": one.runs,
        "failed": one.failed,
    }


def _unknown_charges(charged: list[tuple[Tracker, Spent]]) -> str | None:
    unknown = sum(one.unknown for _, one in charged)
    return f"{unknown} runs do not say what they were charged and are not in the sums." if unknown else None


def _unknown_schedules(trackers: list[Tracker], ahead: dict[str, float | None]) -> str | None:
    unknown = [_name(tracker) for tracker in trackers if ahead.get(tracker["tracker_id"], 0.0) is None]
    return _named("What a run costs is unknown for the schedules of", unknown)


def _named(what: str, names: list[str]) -> str | None:
    return f"{what}: {', '.join(names)}." if names else None


TOOLS = (Offer(get_spending, "Get spending", "runs", READS, "cost month bill budget quants"),)
