"""Whether a tracker can have the skills that a call names."""

from __future__ import annotations

from collections.abc import Sequence

from quantinal_mcp.client import QuantinalClient
from quantinal_mcp.errors import InvalidRequest
from quantinal_mcp.models.skills import Skill
from quantinal_mcp.money.prices import known_skills


async def check_skills(client: QuantinalClient, given: Sequence[str] | None) -> None:
    """Refuse skills that do not exist or are disabled; where the list cannot be read, the service decides.

    Raises:
        InvalidRequest: Names those that cannot be used, and those that can.
    """
    known = await known_skills(client) if given else None
    if given and known:
        refuse_unusable(given, known)


def refuse_unusable(given: Sequence[str], known: Sequence[Skill]) -> None:
    """Refuse skills that are not among the known ones, or disabled there; raises as `check_skills` does."""
    status = {skill["skill_id"]: skill.get("status") for skill in known}
    wrong = [
        f'"{skill[:100]}" {"is disabled" if skill in status else _meant(skill, known)}'
        for skill in dict.fromkeys(given)
        if status.get(skill, "disabled") == "disabled"
    ]
    if wrong:
        usable = ", ".join(sorted(skill for skill, state in status.items() if state != "disabled"))
        raise InvalidRequest(
            f"Skill {', skill '.join(wrong)}.", f"Nothing was sent; agent_config.skills takes: {usable}."
        )


def _meant(given: str, known: Sequence[Skill]) -> str:
    written = given.strip().casefold()
    for skill in known:
        if written in (skill["skill_id"].casefold(), (skill.get("name") or "").casefold()):
            return f"is the name of {skill['skill_id']}"
    return "does not exist"
