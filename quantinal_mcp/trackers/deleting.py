"""What a deletion takes with it, said before it happens."""

from __future__ import annotations

from quantinal_mcp.client import QuantinalClient
from quantinal_mcp.client.several import list_trackers_of
from quantinal_mcp.errors import Conflict
from quantinal_mcp.models.text import on_one_line
from quantinal_mcp.models.trackers import Tracker
from quantinal_mcp.runs.reading import Runs

_MOST_NAMED = 5


async def what_goes(client: QuantinalClient, runs: Runs, tracker: Tracker) -> str:
    """Return what goes with a tracker, as a person reads it: its runs, and which trackers use it as context.

    Raises:
        Conflict: Others share its vault, so the service will refuse to delete it.
    """
    tracker_id = tracker["tracker_id"]
    others, unread = await list_trackers_of(client, None)  # a vault may be shared with another space
    sharing = [other for other in others if other.get("shared_vault_tracker_id") == tracker_id]
    if sharing:
        raise Conflict(
            f"Its vault is shared by {_named(sharing)}, so it cannot be deleted; nothing was.",
            "Ask the user. To stop sharing, and get an empty vault of its own, each needs "
            f'update_tracker(tracker_id={sharing[0]["tracker_id"]}, clear_fields=["shared_vault_tracker_id"]).',
            status=409,
        )
    linking = [
        other for other in others if tracker_id in ((other.get("agent_config") or {}).get("linked_trackers") or ())
    ]
    listed = await runs.list(tracker_id, {"page": 1, "page_size": 1})
    count = (listed.get("pagination") or {}).get("total_items")
    goes = "its schedule, its vault and " + ("all runs" if count is None else f"{count} run{'' if count == 1 else 's'}")
    return goes + (f"; {_named(linking)} loses it as context" if linking else "") + (f"; {unread}" if unread else "")


async def sharers(client: QuantinalClient, tracker: Tracker) -> str:
    """Return whose vault a tracker's vault is besides, for a question; empty where it is its own alone."""
    tracker_id = tracker["tracker_id"]
    owner = tracker.get("shared_vault_tracker_id") or tracker_id
    others, unread = await list_trackers_of(client, None)
    using = [
        other
        for other in others
        if other["tracker_id"] != tracker_id
        and (other["tracker_id"] == owner or other.get("shared_vault_tracker_id") == owner)
    ]
    used = f" The vault is used by {_named(using)} too." if using else ""
    return used + (f" {unread}" if unread else "")


def _named(trackers: list[Tracker]) -> str:
    names = sorted(f'"{on_one_line(tracker.get("name") or tracker["tracker_id"])}"' for tracker in trackers)
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
