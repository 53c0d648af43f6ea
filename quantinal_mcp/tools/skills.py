"""Skills: what a tracker's agent can do."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from quantinal_mcp.models.common import Page
from quantinal_mcp.models.skills import Skill, SkillStatus
from quantinal_mcp.money.prices import known_skills
from quantinal_mcp.protocol.arguments import PageNumber, PageSize, unsaid
from quantinal_mcp.protocol.caller import Caller
from quantinal_mcp.protocol.next_steps import more_pages
from quantinal_mcp.protocol.offers import READS, Offer

_MOST_NAMED = 20


class SkillList(Page[Skill], total=False):
    """One page of skills."""

    next_step: str


async def list_skills(
    caller: Caller,
    status: SkillStatus | None = None,
    category: Annotated[str, Field(min_length=1, max_length=100, json_schema_extra=unsaid)] | None = None,
    page: PageNumber = 1,
    page_size: PageSize = 20,
) -> SkillList:
    """List skills with base cost per run in quants; their ids go into agent_config.skills. Cached for five minutes."""
    query = {"status": status, "category": category, "page": page, "page_size": page_size}
    listed = await caller.client.list_skills(query)
    step = more_pages(listed)
    if category is not None and not (listed.get("pagination") or {}).get("total_items", len(listed["data"])):
        skills = await known_skills(caller.client) or []
        known = sorted({named for skill in skills if (named := skill.get("category"))})
        if meant := next((one for one in known if one.casefold() == category.strip().casefold()), None):
            listed = await caller.client.list_skills({**query, "category": meant})
            step = more_pages(listed)
        elif known:
            step = f"no skill is of this category; there are: {', '.join(known[:_MOST_NAMED])}"
    return {**listed, "next_step": step} if step else {**listed}


TOOLS = (Offer(list_skills, "List skills", "skills", READS, "abilities prices agent"),)
