"""Completions: what an id that is being typed may become, by its beginning or by the name behind it."""

from __future__ import annotations

from mcp_types import (
    Completion,
    CompletionArgument,
    CompletionContext,
    PromptReference,
    ResourceTemplateReference,
)

from quantinal_mcp.accounts.names import MOST_NAMES, Named, Names
from quantinal_mcp.errors import NoToken
from quantinal_mcp.models.text import readable
from quantinal_mcp.protocol.current import current_account, current_token


async def complete(
    _ref: PromptReference | ResourceTemplateReference, argument: CompletionArgument, context: CompletionContext | None
) -> Completion:
    """Complete an argument of a prompt or a template; arguments of one name mean the same everywhere."""
    try:
        names = current_account().names
    except NoToken:
        return Completion(values=[])
    known = {name: value.strip() for name, value in ((context and context.arguments) or {}).items()}
    typed = argument.value.strip().lower()
    candidates = await _candidates(names, argument.name, known)
    found = [readable(item.id, current_token()) for item in candidates if item.matches(typed)]
    return Completion(values=found[:MOST_NAMES], has_more=len(found) > MOST_NAMES)


async def _candidates(names: Names, argument: str, known: dict[str, str]) -> list[Named]:
    tracker_id = known.get("tracker_id", "")
    match argument:
        case "space_id":
            return await names.spaces()
        case "tracker_id":
            return await names.trackers(known.get("space_id", ""))
        case "run_id" if tracker_id:
            return await names.runs(tracker_id)
        case "source_id" if tracker_id:
            return await names.sources(tracker_id)
        case "skill":
            return await names.skills()
        case _:
            return []
