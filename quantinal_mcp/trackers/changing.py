"""What an update will make of a tracker, completed from the tracker as it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, cast

from quantinal_mcp.client import QuantinalClient
from quantinal_mcp.errors import InvalidRequest, Rejected
from quantinal_mcp.models.common import Object
from quantinal_mcp.models.trackers import Tracker, TrackerChange
from quantinal_mcp.money.schedules import ScheduledSpending, check_schedule
from quantinal_mcp.runs.reading import Runs
from quantinal_mcp.trackers.skills import check_skills
from quantinal_mcp.trackers.spending import scheduled_spending

Clearable = Literal["schedule", "schedule.end_time", "shared_vault_tracker_id"]

_COSTS = frozenset({"run_mode", "schedule", "agent_config"})
_NEEDS_THE_TRACKER = _COSTS | {"notification_config"}
_MERGED = ("agent_config", "notification_config", "schedule")


@dataclass(frozen=True, slots=True)
class Change:
    """The body of an update, the tracker before it (None where it was not needed), and what its schedule will spend."""

    body: TrackerChange
    before: Tracker | None
    spending: ScheduledSpending | None


def check_given(given: TrackerChange, tracker_id: str, cleared: frozenset[Clearable], null_note: str | None) -> None:
    """Refuse an update that says nothing, or two things of one field, or makes a tracker use itself.

    Raises:
        InvalidRequest: It does.
    """
    both = sorted(field for field in cleared if field in given or (field == "schedule.end_time" and _ends(given)))
    if both:
        raise InvalidRequest(f"{both[0]} is both given and in clear_fields.", "Nothing was sent; choose one.")
    if not given and not cleared:
        raise InvalidRequest("Nothing to change was given.", null_note or "Nothing was sent; give a field to change.")
    if given.get("run_mode") == "manual" and "schedule" in given:
        raise InvalidRequest(
            "run_mode=manual and a schedule contradict each other.",
            "Nothing was sent. Leave out run_mode to let it run by this schedule; to stop it, give run_mode=manual "
            'with clear_fields=["schedule"].',
        )
    if given.get("shared_vault_tracker_id") == tracker_id:
        raise InvalidRequest(
            "shared_vault_tracker_id is this tracker itself.",
            "Nothing was sent; give another tracker. To go back from a shared vault to its own: "
            'clear_fields=["shared_vault_tracker_id"].',
        )
    if tracker_id in ((given.get("agent_config") or {}).get("linked_trackers") or ()):
        raise InvalidRequest(
            "agent_config.linked_trackers holds this tracker itself.", "Nothing was sent; give other trackers only."
        )


def _ends(given: TrackerChange) -> bool:
    return "end_time" in (given.get("schedule") or {})


async def change(
    client: QuantinalClient,
    runs: Runs,
    tracker_id: str,
    given: TrackerChange,
    cleared: frozenset[Clearable],
    now: datetime,
) -> Change:
    """Read the tracker, complete what is partial from it byte for byte, and see what its schedule will spend.

    Raises `InvalidRequest` for a tracker that could not be, else what reading raises.
    """
    body = cast("TrackerChange", dict(given))
    if "schedule" in cleared:
        body["schedule"] = None
    if "shared_vault_tracker_id" in cleared:
        body["shared_vault_tracker_id"] = None
    if not body.keys() & _NEEDS_THE_TRACKER and "schedule.end_time" not in cleared:
        return Change(body, None, None)
    before = await client.get_tracker(tracker_id)
    await check_skills(client, (given.get("agent_config") or {}).get("skills"))
    kept = cast("Object", before)
    merged: Object = {}
    for name in _MERGED:
        if (value := given.get(name)) is not None:
            merged[name] = {**(kept.get(name) or {}), **value}
    body.update(cast("TrackerChange", merged))
    if "schedule.end_time" in cleared:
        if not kept.get("schedule"):
            raise InvalidRequest("This tracker has no schedule whose end could be cleared.", "Nothing was sent.")
        body["schedule"] = {**(body.get("schedule") or kept["schedule"]), "end_time": None}
    if given.get("schedule") is not None:
        body.setdefault("run_mode", "scheduled")
    after: Object = {**before, **body}
    if after.get("run_mode") == "scheduled":
        _check_not_cleared(cleared)
        check_schedule(after.get("schedule"), now)
    is_money = bool(body.keys() & _COSTS)
    return Change(body, before, await scheduled_spending(client, runs, before, after, now) if is_money else None)


def _check_not_cleared(cleared: frozenset[Clearable]) -> None:
    if "schedule" in cleared:
        raise InvalidRequest(
            "This tracker has run_mode=scheduled, which needs its schedule.",
            'Nothing was sent; to stop it, give run_mode=manual with clear_fields=["schedule"].',
        )


def what_changed(answer: Tracker, body: TrackerChange) -> Tracker:
    """Return of an updated tracker what identifies it and what the update set."""
    kept = {"tracker_id", "name", "updated_at", *body}
    return cast("Tracker", {name: value for name, value in cast("dict[str, Any]", answer).items() if name in kept})


def explained(error: Rejected, given: TrackerChange, body: TrackerChange) -> Rejected:
    """Say so where what is refused may be links that the tracker has and the update did not name.

    A newer service refuses links to what is not one's own or in another space, those that it shows itself included.
    """
    named = given.get("agent_config")
    links = (body.get("agent_config") or {}).get("linked_trackers")
    if error.status != 400 or not named or "linked_trackers" in named or not links:
        return error
    return Rejected(
        error.message,
        "Nothing was changed. agent_config was completed from the tracker, and its linked_trackers were sent back as "
        f"they are ({len(links)}). If those are refused, call again with agent_config.linked_trackers too: "
        "only this account's trackers in the same space, or [] for none.",
        status=error.status,
        body=error.body,
    )
