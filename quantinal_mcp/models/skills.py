"""Skills: what a tracker's agent can do, and what each costs."""

from __future__ import annotations

from typing import Literal, Required

from typing_extensions import TypedDict

from quantinal_mcp.models.common import Amount, Identifier, tolerant

SkillStatus = Literal["active", "disabled"]


@tolerant
class Skill(TypedDict, total=False):
    """GET /api/skills. `base_cost_quants` is per run in basic mode."""

    skill_id: Required[Identifier]
    name: str | None
    description: str | None
    category: str | None
    base_cost_quants: Amount
    status: str | None
