"""Spaces: read only, as the API gives them to tokens."""

from __future__ import annotations

from quantinal_mcp.models.common import Page, SpaceId
from quantinal_mcp.models.spaces import Space
from quantinal_mcp.protocol.arguments import PageNumber, PageSize
from quantinal_mcp.protocol.caller import Caller
from quantinal_mcp.protocol.next_steps import more_pages
from quantinal_mcp.protocol.offers import READS, Offer


class SpaceList(Page[Space], total=False):
    """One page of spaces."""

    next_step: str


class SpaceAnswer(Space, total=False):
    """A space."""

    next_step: str


async def list_spaces(caller: Caller, page: PageNumber = 1, page_size: PageSize = 20) -> SpaceList:
    """List the account's spaces with counts of trackers and results."""
    listed = await caller.client.list_spaces(page, page_size)
    spaces = listed["data"]
    step = "list_trackers with one of these space_ids" if spaces else "the user creates a space in the console"
    if len(spaces) == 1:
        step = f"list_trackers(space_id={spaces[0]['space_id']})"
    return {**listed, "next_step": more_pages(listed) or step}


async def get_space(caller: Caller, space_id: SpaceId) -> SpaceAnswer:
    """Get one space: capacity, usage, cost per month, hourly rate limit."""
    space = await caller.client.get_space(space_id)
    return {**space, "next_step": f"list_trackers(space_id={space_id})"}


TOOLS = (
    Offer(list_spaces, "List spaces", "spaces", READS),
    Offer(get_space, "Get space", "spaces", READS, "storage quota rate limit"),
)
