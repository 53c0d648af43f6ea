"""Finding a tracker again whose creation's answer was lost."""

from __future__ import annotations

from quantinal_mcp.client import QuantinalClient
from quantinal_mcp.client.pages import list_all_trackers
from quantinal_mcp.errors import OutcomeUnknown, QuantinalError
from quantinal_mcp.models.trackers import NewTracker, Tracker


async def create(client: QuantinalClient, space_id: str, body: NewTracker) -> tuple[Tracker, str | None]:
    """Create a tracker, once, and return it, with a note where it had to be looked for.

    A create whose answer was lost is looked for; the only tracker of its name, description and instruction is it.
    Raises `OutcomeUnknown` where that does not tell, else what the client raises.
    """
    try:
        return await client.create_tracker(space_id, body), None
    except OutcomeUnknown as lost:
        try:
            listed = await list_all_trackers(client, space_id)
        except QuantinalError:
            listed = []
        like_it = [tracker for tracker in listed if _is_like(tracker, body)]
        if len(like_it) == 1:
            return like_it[0], "The answer was lost; this is the tracker like it which the space lists."
        seen = f"{len(like_it)} trackers like it are listed" if listed else "the space's trackers could not be listed"
        raise OutcomeUnknown(
            f"The request was sent once and its answer was lost; {seen}.",
            f"Look with list_trackers(space_id={space_id}) before creating it again, which could create it twice.",
            lost=lost.lost,
        ) from lost


def _is_like(tracker: Tracker, body: NewTracker) -> bool:
    config = tracker.get("agent_config") or {}
    found = tracker.get("name"), tracker.get("description"), config.get("instruction")
    return found == (body["name"], body["description"], body["agent_config"]["instruction"])
