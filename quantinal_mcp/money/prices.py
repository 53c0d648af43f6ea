"""What each skill costs, as far as this token can read it."""

from __future__ import annotations

import anyio

from quantinal_mcp.client import QuantinalClient
from quantinal_mcp.errors import QuantinalError
from quantinal_mcp.models.common import page_count

_PRICES_SECONDS = 10.0


async def prices(client: QuantinalClient) -> dict[str, float] | None:
    """Return the base cost of each skill in quants, or None where this token cannot read them."""
    found: dict[str, float] = {}
    with anyio.move_on_after(_PRICES_SECONDS):
        try:
            page, pages = 1, 1
            while page <= pages:
                listed = await client.list_skills({"page": page, "page_size": 100})
                pages = page_count(listed)
                found |= {
                    skill["skill_id"]: cost
                    for skill in listed["data"]
                    if (cost := skill.get("base_cost_quants")) is not None
                }
                page += 1
        except QuantinalError:
            return None
        else:
            return found
    return None
