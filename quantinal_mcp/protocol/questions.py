"""Putting one question to the user, and reading the answer: anything but a clear yes sends nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import anyio
from mcp.server.elicitation import AcceptedElicitation, CancelledElicitation, DeclinedElicitation
from mcp.server.mcpserver import Elicit
from mcp.shared.exceptions import MCPError
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS
from pydantic import BaseModel, Field

from quantinal_mcp.accounts.account import Account
from quantinal_mcp.errors import Declined, NeedsConsent
from quantinal_mcp.models.text import clean_text, on_one_line
from quantinal_mcp.protocol.answers import ANSWER_SECONDS, spend
from quantinal_mcp.protocol.caller import AppContext, can_ask


class Confirm(BaseModel):
    """The user's answer."""

    confirm: Annotated[bool, Field(strict=True, title="Yes, go ahead")]


class NotAsked(BaseModel):
    """No question was necessary, or the client cannot ask."""

    can_ask: bool = True


Answer = AcceptedElicitation[Confirm] | AcceptedElicitation[NotAsked] | DeclinedElicitation | CancelledElicitation
"""What became of a question."""


async def ask(ctx: AppContext, question: Callable[[bool], str | None]) -> NotAsked | Confirm | Elicit[Confirm]:
    """Put a question to the user where the client can; a resolver returns what this returns.

    `question` is told whether the client can ask, and returns what to ask, or None; where it cannot, it raises what
    the model is to do instead. A client that answers the question with an error is one that cannot ask.

    Raises:
        Declined: The user said no.
        NeedsConsent: The user dismissed the question, or its answer cannot be read.
    """
    able = can_ask(ctx)
    asked = question(able)
    if asked is None:
        return NotAsked(can_ask=able)
    if ctx.protocol_version not in HANDSHAKE_PROTOCOL_VERSIONS:
        return Elicit(asked, Confirm)
    answer: Answer = CancelledElicitation()
    try:
        with anyio.move_on_after(ANSWER_SECONDS):
            answer = await ctx.elicit(asked, Confirm)
    except MCPError:
        question(False)
        return NotAsked(can_ask=False)
    except ValueError:
        raise NeedsConsent(
            "The answer to the question could not be read.", "Nothing was sent; ask the user again."
        ) from None
    check_yes(answer)
    return Confirm(confirm=True)


async def require_yes(ctx: AppContext, caller: Account, answer: Answer) -> None:
    """Go on only after a yes, or where nothing had to be asked; a yes is spent by this call.

    Raises:
        Declined: The user said no.
        NeedsConsent: The user dismissed the question, or its answer was used before.
    """
    if check_yes(answer):
        await spend(ctx, caller)


def check_yes(answer: Answer) -> bool:
    """Return whether the user said yes: False where nothing had to be asked.

    Raises:
        Declined: The user said no.
        NeedsConsent: The user dismissed the question.
    """
    if isinstance(answer, AcceptedElicitation):
        if isinstance(answer.data, NotAsked):
            return False
        if answer.data.confirm:
            return True
    if isinstance(answer, CancelledElicitation):
        raise NeedsConsent(
            "The user dismissed the question without an answer.", "Nothing was sent; ask them before calling again."
        )
    raise Declined("The user said no.", "Nothing was sent. Do not ask again; go on without it.")


def could_ask(answer: Answer) -> bool:
    """Return whether the client can put a question to its user, as far as this call has shown."""
    if isinstance(answer, AcceptedElicitation) and isinstance(answer.data, NotAsked):
        return answer.data.can_ask
    return True


def check_name(confirm_name: str | None, name: str, kind: str) -> None:
    """Refuse a name that is not the one of what is to be deleted, nor what a model can have read of it.

    Raises:
        NeedsConsent: It is another.
    """
    if confirm_name is not None and confirm_name not in (name, clean_text(name), on_one_line(name)):
        raise NeedsConsent(
            f'confirm_name is not the name of this {kind}, which is "{on_one_line(name)}".',
            "Nothing was deleted; make sure with the user that this is the one they mean.",
        )


def delete_question(deleted: str, confirm_name: str | None, *, can_ask: bool, more: str = "") -> str | None:
    """Return what is asked before something with a name is deleted.

    Raises:
        NeedsConsent: The client cannot ask, and the call does not carry the name.
    """
    if can_ask:
        return f"Delete {deleted}? It cannot be undone.{more}"
    if confirm_name is None:
        raise NeedsConsent(
            f"This deletes {deleted}, for ever.{more}",
            "Ask the user; if they agree, call again with confirm_name, its exact name. Nothing was deleted.",
        )
    return None
