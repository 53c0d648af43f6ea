"""Overview: where every tracker stands."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from quantinal_mcp.client.several import list_trackers_of, note_on, of_each
from quantinal_mcp.models.common import SpaceId, iso_minute
from quantinal_mcp.models.runs import Run
from quantinal_mcp.models.trackers import Tracker, score_meaning
from quantinal_mcp.money.prices import prices
from quantinal_mcp.money.spending import due
from quantinal_mcp.protocol.arguments import unsaid
from quantinal_mcp.protocol.caller import Caller
from quantinal_mcp.protocol.offers import READS, Offer
from quantinal_mcp.runs.overview import Standing, latest_runs, standing

_MOST_TRACKERS = 100


class OverviewLine(TypedDict, total=False):
    """A tracker: its latest score beside the one before, that of a week ago, and its threshold; what it fails at and
    costs. Times are UTC; what does not apply is left out."""

    tracker_id: str
    name: str | None
    score_meaning: str | None
    score: float | None
    scored_at: str | None
    previous_score: float | None
    change_7d: float | None
    threshold: float | None
    crossed: bool | None
    failed_since: int | None
    next_run_at: str | None
    quants_per_day: float | None


class Overview(TypedDict, total=False):
    """Trackers, the most worrying first."""

    trackers: list[OverviewLine]
    note: str | None
    next_step: str | None


async def get_overview(
    caller: Caller,
    space_id: SpaceId | None = None,
    name_contains: Annotated[str, Field(min_length=1, max_length=100, json_schema_extra=unsaid)] | None = None,
) -> Overview:
    """Find trackers and see where each stands: latest score, change in 7 days, threshold crossed, failures, next run,
    cost a day. Most worrying first. Start here."""
    now = caller.now()
    trackers, unread = await list_trackers_of(caller.client, space_id)
    wanted = (name_contains or "").casefold()
    chosen = [tracker for tracker in trackers if wanted in (tracker.get("name") or "").casefold()]
    # Those that ran last, where there are too many to ask after.
    chosen.sort(key=lambda tracker: tracker.get("last_run_at") or "", reverse=True)
    shown, left_out = chosen[:_MOST_TRACKERS], len(chosen) - _MOST_TRACKERS
    costs = await prices(caller.client) if any(due(tracker, now) for tracker in shown) else None

    async def runs_of(tracker: Tracker) -> list[Run]:
        return await latest_runs(caller.runs, tracker, now)

    read = await of_each(shown, runs_of)
    standings = [standing(tracker, runs, now, costs) for tracker, runs in read.answers]
    standings.sort(key=lambda one: one.urgency)
    unknown = [(tracker.get("name") or tracker["tracker_id"], error) for tracker, error in read.failures]
    too_many = f"{left_out} more trackers; narrow with space_id or name_contains." if left_out > 0 else None
    notes = [unread, note_on(unknown, "trackers"), too_many]
    return {
        "trackers": [*(_line(one) for one in standings), *(_line(Standing(tracker)) for tracker, _ in read.failures)],
        "note": " ".join(filter(None, notes)) or None,
        "next_step": _next_step(standings, wanted),
    }


def _line(one: Standing) -> OverviewLine:
    tracker, latest = one.tracker, one.latest
    return {
        "tracker_id": tracker["tracker_id"],
        "name": tracker.get("name"),
        "score_meaning": score_meaning(tracker),
        "score": latest.score if latest else None,
        "scored_at": iso_minute(latest.time) if latest else None,
        "previous_score": one.previous_score,
        "change_7d": one.change_7d,
        "threshold": one.threshold,
        "crossed": one.crossed or None,
        "failed_since": one.failed_since or None,
        "next_run_at": iso_minute(one.next_run_at) if one.next_run_at else None,
        "quants_per_day": one.quants_per_day,
    }


def _next_step(standings: list[Standing], wanted: str) -> str | None:
    if not standings:
        return "without name_contains it lists all trackers" if wanted else "list_spaces, then create_tracker"
    first = standings[0]
    if first.latest is None:
        return None
    return f"get_score_history(tracker_id={first.tracker['tracker_id']})"


TOOLS = (Offer(get_overview, "Get overview", "spaces", READS),)
