"""Putting one question to the user, and reading the answer: anything but a clear yes sends nothing."""

from __future__ import annotations

from typing import Annotated

from mcp.server.elicitation import AcceptedElicitation, CancelledElicitation, DeclinedElicitation
from pydantic import BaseModel, Field

from quantinal_mcp.accounts.account import Account
from quantinal_mcp.errors import Declined, NeedsConsent
from quantinal_mcp.protocol.answers import spend
from quantinal_mcp.protocol.caller import AppContext


class Confirm(BaseModel):
    """The user's answer."""

    confirm: Annotated[bool, Field(strict=True, title="Yes, go ahead")]


class NotAsked(BaseModel):
    """No question was necessary."""


Answer = AcceptedElicitation[Confirm] | AcceptedElicitation[NotAsked] | DeclinedElicitation | CancelledElicitation
"""What became of a question."""


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
