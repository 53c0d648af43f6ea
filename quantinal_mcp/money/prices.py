"""Which skills there are and what each costs, as far as this token can read it."""

from __future__ import annotations

import anyio

from quantinal_mcp.client import QuantinalClient
from quantinal_mcp.client.pages import list_all_skills
from quantinal_mcp.errors import QuantinalError
from quantinal_mcp.models.skills import Skill

_PRICES_SECONDS = 10.0


async def prices(client: QuantinalClient) -> dict[str, float] | None:
    """Return the base cost of each skill in quants, or None where this token cannot read them."""
    skills = await known_skills(client)
    if skills is None:
        return None
    return {skill["skill_id"]: cost for skill in skills if (cost := skill.get("base_cost_quants")) is not None}


async def known_skills(client: QuantinalClient) -> list[Skill] | None:
    """Return every skill, or None where this token cannot read them, or not within ten seconds."""
    with anyio.move_on_after(_PRICES_SECONDS):
        try:
            return await list_all_skills(client)
        except QuantinalError:
            return None
    return None
