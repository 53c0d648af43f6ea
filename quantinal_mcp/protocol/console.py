"""Showing the user the console where only they can go on: to create a token, or to top up the balance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import anyio
from mcp.shared.exceptions import MCPError
from mcp_types import ElicitRequest, ElicitRequestURLParams, ElicitResult, InputRequiredResult
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS
from pydantic import ValidationError

from quantinal_mcp.journal.records import account_of
from quantinal_mcp.protocol.caller import AppContext, app_of, can_open, token_of
from quantinal_mcp.settings import Settings

AGAIN_SECONDS = 600.0
"""How soon the same is shown to a user once more: a model may call many tools before they have acted."""
SHORTEST_SECONDS = 5.0
"""So long a user is waited for, however little is left of the call's time; some clients give up after as much."""

_WHY = {
    "no_token": "Quantinal needs an API token. Create one in the console, under Account → API Tokens, set it as "
    "QUANTINAL_API_TOKEN where this server is configured, and restart the server.",
    "insufficient_quants": "The Quantinal balance is too low. Top it up in the console, then say so in the chat.",
}
"""What the user is told, by the code of what they can mend."""
_WHAT_THEY_DID = {
    "accept": " The user was shown the console; call again once they say that it is done.",
    "decline": " The user did not want to open the console.",
    "cancel": "",
}
_KEY = "console"
_STATE = "console:"
"""How the state of a question of ours begins; the SDK's is JSON."""


def read_answer(ctx: AppContext) -> str | None:
    """Return what a model reads of a call that came back with the answer to such a question, None for any other call.

    It failed when the user was asked, and is not tried again: that they opened the console is not that they are done.
    """
    state = ctx.request_state or ""
    if not state.startswith(_STATE):
        return None
    answer = (ctx.input_responses or {}).get(_KEY)
    return state.removeprefix(_STATE) + _WHAT_THEY_DID[answer.action if isinstance(answer, ElicitResult) else "cancel"]


async def show(
    ctx: AppContext, code: str, said: str, started: float, given: Mapping[str, Any]
) -> InputRequiredResult | str:
    """Return what a model reads of a failure, after its user was offered the console if that can mend it.

    A client of 2026-07-28 is to ask first, and to come back with the answer. Any other is waited for as long as the
    call may wait for anything: it began at `started` on the event loop's clock, and was `given` these arguments.
    """
    settings = app_of(ctx).settings
    url = None if settings.sandbox else settings.console_url
    if url is None or code not in _WHY or not can_open(ctx) or not _claim(ctx, code):
        return said
    if ctx.protocol_version not in HANDSHAKE_PROTOCOL_VERSIONS:
        question = ElicitRequest(params=ElicitRequestURLParams(message=_WHY[code], url=url))
        return InputRequiredResult(input_requests={_KEY: question}, request_state=_STATE + said)
    patience = max(SHORTEST_SECONDS, started + _wait_seconds(given, settings) - anyio.current_time())
    try:
        with anyio.move_on_after(patience):
            answer = await ctx.session.elicit_url(_WHY[code], url, str(uuid4()), ctx.request_id)
            return said + _WHAT_THEY_DID[answer.action]
    except (MCPError, ValidationError):
        pass  # it cannot be asked after all, or nobody understands what it answered
    return said


def _claim(ctx: AppContext, code: str) -> bool:
    """Take note that the console is shown for this now; False if that was done a short while ago."""
    app, now = app_of(ctx), anyio.current_time()
    token = token_of(ctx.request_context.request, app)
    for past in [past for past, at in app.console_shown.items() if now - at >= AGAIN_SECONDS]:
        del app.console_shown[past]
    what = (account_of(token) if token else "", code)
    if what in app.console_shown:
        return False
    app.console_shown[what] = now
    return True


def _wait_seconds(given: Mapping[str, Any], settings: Settings) -> float:
    try:
        return float(given["wait_seconds"])
    except (KeyError, TypeError, ValueError):  # not given, or as nothing
        return settings.wait_seconds
