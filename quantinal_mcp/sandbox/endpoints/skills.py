"""GET /api/skills."""

from typing import Any

from quantinal_mcp.sandbox.endpoints.call import Call, Endpoint
from quantinal_mcp.sandbox.endpoints.checks import choice, text
from quantinal_mcp.sandbox.endpoints.paging import paginate
from quantinal_mcp.sandbox.world.catalogue import all_skills
from quantinal_mcp.sandbox.world.errors import console_only


async def list_skills(call: Call) -> Any:
    """GET /api/skills."""
    if call.options.skills_forbidden:
        raise console_only()
    query = call.query()
    status = query.take("status", choice("active", "disabled"))
    category = query.take("category", text())
    return paginate(
        query,
        lambda: [
            skill
            for skill in all_skills()
            if status in (None, skill["status"]) and category in (None, skill["category"])
        ],
    )


ENDPOINTS = (Endpoint("GET", "/api/skills", list_skills, per_minute=30),)
