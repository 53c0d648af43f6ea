"""What every HTTP request passes: Host and Origin, whose account it is, its size, and its end."""

from __future__ import annotations

import hashlib
import ipaddress
import json
import re
from typing import Any, Final, cast

import anyio
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.transport_security import TransportSecurityMiddleware, TransportSecuritySettings
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from quantinal_mcp.protocol.caller import REQUEST_TOKEN
from quantinal_mcp.transports.refusals import refusal

PATH: Final = "/mcp"
LARGEST_BODY: Final = 16 * 1024 * 1024
"""Bytes: a 10 MB upload takes 14 in base64, and the call around it some more."""

_LINGER_SECONDS = 1.0
_TOKEN = re.compile(r"qapi_[!-~]{1,507}")
_FORWARDED = ("forwarded", "via", "x-forwarded", "x-real-ip", "x-client-ip", "true-client-ip", "cf-", "x-original-")


class Gate:
    """Lets a request to `/mcp` in with its account's token, or answers why not; other paths it does not mind.

    `lent` is the token that requests from this machine may use that bring none.
    """

    def __init__(self, app: ASGIApp, security: TransportSecuritySettings, lent: str | None) -> None:
        self._app = app
        self._security = TransportSecurityMiddleware(security)
        self._lent = lent

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check the request's Host and Origin, find its token, and hand it on."""
        if scope["type"] != "http" or not scope["path"].endswith(PATH):
            await self._app(scope, receive, send)
            return
        refused = await self._security.validate_request(Request(scope))
        token = None if refused else self._token(scope)
        if isinstance(token, str):
            # The SDK compares this user with the one who opened a session; it needs no token for that.
            digest = hashlib.sha256(token.encode()).hexdigest()
            user = AuthenticatedUser(AccessToken(token=digest, client_id=digest, scopes=[]))
            await self._exchange({**scope, REQUEST_TOKEN: token, "user": user}, receive, send)
        else:
            answer = refused or token or _unauthorized(Headers(scope=scope))
            await answer(scope, receive, send)

    def _token(self, scope: Scope) -> str | Response | None:
        """Return the token that a request is served with; what it carries goes before what it could borrow."""
        headers = Headers(scope=scope)
        given = _credentials(headers)
        tokens = {value for value in given if _TOKEN.fullmatch(value)}
        if len(tokens) > 1:
            return refusal(400, "[invalid_request] This request carries two different Quantinal tokens; send one.")
        if tokens:
            return tokens.pop()
        if given or any(name.startswith(_FORWARDED) for name in headers) or not _is_loopback(scope.get("client")):
            return None
        return self._lent

    async def _exchange(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on with its body read, and cancel it if its connection ends before the answer does.

        The SDK does the latter for 2026-07-28 only. Before, a client could come back for its answer where the server
        stores events; this one stores none, so that nobody could ever read it.
        """
        try:
            body = await _read(scope, receive)
        except _TooLarge:
            await _refuse_unread(scope, receive, send)
            return
        if body is None:
            return
        is_answered = False

        async def note(message: Message) -> None:
            nonlocal is_answered
            await send(message)
            is_answered = message["type"] == "http.response.body" and not message.get("more_body", False)

        try:
            await self._app(scope, _replay(body, receive), note)
        finally:
            if not is_answered and "mcp-session-id" in Headers(scope=scope) and (cancel := _cancellation(body)):
                with anyio.move_on_after(_LINGER_SECONDS, shield=True):
                    await self._app(scope, _replay(cancel, receive), _nowhere)


def _credentials(headers: Headers) -> list[str]:
    """Return whatever a request carries where a token could be; another scheme's credential is none of ours."""
    given = [value.strip() for name in ("x-api-key", "x-api-token") for value in headers.getlist(name)]
    for value in headers.getlist("authorization"):
        scheme, _, rest = value.strip().partition(" ")
        given.append(rest.strip() if scheme.lower() in {"", "bearer"} else "of another scheme")
    return [value for value in given if value]


def _is_loopback(client: tuple[str, int] | None) -> bool:
    try:
        return client is not None and ipaddress.ip_address(client[0]).is_loopback
    except ValueError:
        return False


def _unauthorized(headers: Headers) -> Response:
    challenge = 'Bearer realm="Quantinal"' + (', error="invalid_token"' if _credentials(headers) else "")
    return refusal(
        401,
        "[unauthorized] This request carries no Quantinal token. Send one with it, as Authorization: Bearer qapi_… "
        "(or X-API-Key, or X-API-Token); the Quantinal console makes them under Account → API Tokens.",
        {"WWW-Authenticate": challenge},
    )


class _TooLarge(Exception):
    pass


async def _refuse_unread(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer 413 and close. A client still sending could not read an answer whose connection is closed at once."""

    async def hold(message: Message) -> None:
        await send({**message, "more_body": True} if message["type"] == "http.response.body" else message)

    limit = f"[invalid_request] A request holds at most {LARGEST_BODY} bytes."
    await refusal(413, limit, {"Connection": "close"})(scope, receive, hold)
    with anyio.move_on_after(_LINGER_SECONDS):
        while (await receive()).get("more_body", False):
            pass
    await send({"type": "http.response.body", "body": b""})


async def _read(scope: Scope, receive: Receive) -> bytes | None:
    """Return the body, or None if the client left before its end.

    Raises:
        _TooLarge: It is, or it says so; the rest is not read.
    """
    declared = Headers(scope=scope).get("content-length", "")
    if declared.isdecimal() and int(declared) > LARGEST_BODY:
        raise _TooLarge
    body = bytearray()
    while (message := await receive())["type"] != "http.disconnect":
        body += message.get("body", b"")
        if len(body) > LARGEST_BODY:
            raise _TooLarge
        if not message.get("more_body", False):
            return bytes(body)
    return None


def _replay(body: bytes, then: Receive) -> Receive:
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return messages.pop() if messages else await then()

    return receive


def _cancellation(body: bytes) -> bytes | None:
    """Return the notification that cancels the request in `body`, if there is one in it."""
    try:
        message: Any = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(message, dict) or "method" not in message or "id" not in message:
        return None
    params = {"requestId": cast("dict[str, Any]", message)["id"], "reason": "The connection was closed."}
    return json.dumps({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params}).encode()


async def _nowhere(message: Message) -> None:
    """Where answers go that nobody waits for."""
