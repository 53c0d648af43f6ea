"""Showing the user the console where only they can go on: to create a token, or to top up the balance."""

from __future__ import annotations

from typing import Literal
from uuid import uuid4

import anyio
from mcp.shared.exceptions import MCPError
from mcp_types import ElicitRequest, ElicitRequestURLParams, ElicitResult, InputRequiredResult
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS
from pydantic import ValidationError

from quantinal_mcp.errors import QuantinalError
from quantinal_mcp.protocol.caller import AppContext, app_of, token_of

AGAIN_SECONDS = 600.0
"""How soon the same is shown to a user once more: a model may call many tools before they have acted."""

_WHY = {
    "no_token": "Quantinal has no API token to work with. The console makes one, under Account → API Tokens; "
    "it is then set as QUANTINAL_API_TOKEN.",
    "insufficient_quants": "The Quantinal balance is too low to go on. It is topped up in the console.",
}
_DONE = {
    "accept": " The user was shown the console; go on when they say that it is done.",
    "decline": " The user did not want to open the console.",
    "cancel": "",
}
_KEY = "console"
_ASKED = "console:"
"""How the state of a question of ours begins; the SDK's is JSON."""


def read_answer(ctx: AppContext) -> str | None:
    """Return what a model reads of a call that came back with the answer to such a question, None for any other call.

    It failed when the user was asked, and is not tried again: that they opened the console is not that they are done.
    """
    state = ctx.request_state or ""
    if not state.startswith(_ASKED):
        return None
    answer = (ctx.input_responses or {}).get(_KEY)
    return state.removeprefix(_ASKED) + _DONE[answer.action if isinstance(answer, ElicitResult) else "cancel"]


async def show(ctx: AppContext, error: QuantinalError, said: str) -> InputRequiredResult | str:
    """Return what a model reads of a failure, after its user was offered the console if that can mend it.

    A client of 2026-07-28 is to ask first, and to come back with the answer.
    """
    if not _is_offered(ctx, error.code):
        return said
    url, why = app_of(ctx).settings.console_url or "", _WHY[error.code]
    if ctx.protocol_version not in HANDSHAKE_PROTOCOL_VERSIONS:
        question = ElicitRequest(params=ElicitRequestURLParams(message=why, url=url))
        return InputRequiredResult(input_requests={_KEY: question}, request_state=_ASKED + said)
    action: Literal["accept", "decline", "cancel"] = "cancel"
    try:
        with anyio.move_on_after(app_of(ctx).settings.wait_seconds):
            action = (await ctx.session.elicit_url(why, url, str(uuid4()), ctx.request_id)).action
    except (MCPError, ValidationError):
        pass  # it cannot be asked after all, or nobody understands what it answered
    return said + _DONE[action]


def _is_offered(ctx: AppContext, code: str) -> bool:
    app, capabilities = app_of(ctx), ctx.client_capabilities
    elicitation = capabilities.elicitation if capabilities else None
    if code not in _WHY or app.settings.console_url is None or app.settings.sandbox:
        return False
    if elicitation is None or elicitation.url is None:
        return False
    now, what = anyio.current_time(), (token_of(ctx.request_context.request, app), code)
    for shown in [shown for shown, at in app.shown.items() if now - at >= AGAIN_SECONDS]:
        del app.shown[shown]
    if what in app.shown:
        return False
    app.shown[what] = now
    return True
