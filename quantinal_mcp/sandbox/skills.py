"""GET /api/skills, and what skills cost."""

from typing import Any

from quantinal_mcp.sandbox.call import Call, Endpoint
from quantinal_mcp.sandbox.checks import choice, text
from quantinal_mcp.sandbox.errors import console_only
from quantinal_mcp.sandbox.paging import paginate

_ROWS = (
    ("web", "Web", "Search the web for real-time news and current events", "research", 0.012, "active"),
    (
        "financial_markets",
        "Financial Markets",
        "Live real-time quotes for stocks and crypto, with analyst estimates",
        "finance",
        0.012,
        "active",
    ),
    ("social_media", "Social Media", "Public posts and their reach", "marketing", 0.018, "active"),
    ("company_filings", "Company Filings", "Annual and quarterly reports", "finance", 0.015, "active"),
    (
        "reviews",
        "Product Reviews",
        "Ratings and reviews from shops and app stores",
        "marketing",
        0.015,
        "active",
    ),
    ("patents", "Patents", "Patent applications and grants", "research", 0.02, "disabled"),
)
_FIELDS = ("skill_id", "name", "description", "category", "base_cost_quants", "status")


def all_skills() -> list[dict[str, Any]]:
    """Every skill, as the API lists it."""
    return [dict(zip(_FIELDS, row, strict=True)) for row in _ROWS]


def base_costs() -> dict[str, float]:
    """Base cost in quants by skill id."""
    return {row[0]: row[4] for row in _ROWS}


def unusable_skills(skill_ids: list[str]) -> list[str]:
    """Those of the ids that name no skill, or a disabled one."""
    active = {row[0] for row in _ROWS if row[5] == "active"}
    return [skill_id for skill_id in skill_ids if skill_id not in active]


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
