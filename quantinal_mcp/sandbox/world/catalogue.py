"""The skills there are, and what they cost."""

from typing import Any

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
