"""What every HTTP request passes first: its path, its Host and Origin, and whose account it is."""

from __future__ import annotations

from typing import Final

from mcp.server.transport_security import TransportSecurityMiddleware, TransportSecuritySettings
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from quantinal_mcp.client.accepted import digest_of
from quantinal_mcp.protocol.caller import REQUEST_TOKEN
from quantinal_mcp.transports.credentials import TwoTokens, has_credentials, token_of
from quantinal_mcp.transports.exchanges import ACCOUNT
from quantinal_mcp.transports.refusals import refusal
from quantinal_mcp.transports.sessions import user_of

PATH: Final = "/mcp"


class Gate:
    """Lets a request to `/mcp` (or `/mcp/`) in with its account's token, or answers why not.

    Other paths go to `others`. `lent` is the token that requests from this machine may use that bring none.
    """

    def __init__(self, app: ASGIApp, others: ASGIApp, security: TransportSecuritySettings, lent: str | None) -> None:
        self._app = app
        self._others = others
        self._security = TransportSecurityMiddleware(security)
        self._lent = lent

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check the request's Host and Origin, find its token, and hand it on."""
        path: str = scope["path"].rstrip("/") if scope["type"] == "http" else ""
        if not path.endswith(PATH):
            await self._others(scope, receive, send)
            return
        answer = await self._security.validate_request(Request(scope))
        if answer is None:
            try:
                token = token_of(scope, self._lent)
            except TwoTokens:
                answer = refusal(
                    400, "[invalid_request] This request carries two different Quantinal tokens; send one."
                )
            else:
                if token is not None:
                    await self._app(_of_account(scope, path, token), receive, send)
                    return
                answer = _unauthorized(scope)
        await answer(scope, receive, send)


def _of_account(scope: Scope, path: str, token: str) -> Scope:
    account = digest_of(token)
    # The SDK compares this user with the one who opened a session; it needs no token for that.
    return {**scope, "path": path, REQUEST_TOKEN: token, ACCOUNT: account, "user": user_of(account)}


def _unauthorized(scope: Scope) -> Response:
    challenge = 'Bearer realm="Quantinal"' + (', error="invalid_token"' if has_credentials(scope) else "")
    return refusal(
        401,
        "[unauthorized] This request carries no Quantinal token. Send one with it, as Authorization: Bearer qapi_… "
        "(or X-API-Key, X-API-Token, or X-Auth-Token); the Quantinal console makes them under Account → API Tokens.",
        {"WWW-Authenticate": challenge},
    )
