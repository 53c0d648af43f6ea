"""One request after another, each within its bounds, and each ended in a way that its client understands."""

from __future__ import annotations

import json
import re
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Final

import anyio
from mcp_types import CONNECTION_CLOSED
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from quantinal_mcp.client.shares import IsProven
from quantinal_mcp.models.outline import Outline
from quantinal_mcp.transports.bodies import Bodies, Body
from quantinal_mcp.transports.bounds import Bounds
from quantinal_mcp.transports.refusals import LINGER_SECONDS, Refused, busy, refusal, refuse_unread
from quantinal_mcp.transports.seats import Seats

ACCOUNT: Final = "quantinal.account"
"""Where a request's scope says whose it is: the digest of a token."""
ABOUT: Final = "quantinal.outline"
"""Where it says what its body is about."""

_ANSWER = re.compile(rb'data: \{"jsonrpc": ?"2\.0", ?"id": ?("(?:[^"\\]|\\.)*"|-?\d+), ?"(?:result|error)"')
"""How the event begins that answers a request, as the SDK writes it."""
_ANSWER_BEGINS_WITHIN = 8192
_STOPPING = "The server is stopping. What the service has begun goes on there; call again in a minute."
_ENDED = "This request was ended. What the service has begun goes on there; call again in a moment."


class Drain:
    """The requests in flight, so that they can be ended when the server stops."""

    def __init__(self) -> None:
        self._open: set[anyio.CancelScope] = set()
        self.is_ending = False

    def end(self) -> None:
        """End every request, and every one that still comes."""
        self.is_ending = True
        for request in self._open:
            request.cancel()

    @contextmanager
    def request(self) -> Generator[anyio.CancelScope]:
        """Return what a request is served in."""
        with anyio.CancelScope() as request:
            self._open.add(request)
            try:
                if self.is_ending:
                    request.cancel()
                yield request
            finally:
                self._open.discard(request)


class Exchanges:
    """Hands requests on with their bodies read, as many at a time as there may be."""

    def __init__(self, app: ASGIApp, bounds: Bounds, is_proven: IsProven, drain: Drain) -> None:
        self._app = app
        self._bodies = Bodies(bounds, is_proven)
        self._calls = Seats(bounds.calls, is_proven)
        self._streams = Seats(bounds.streams, is_proven)
        self._drain = drain

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request of the account that its scope names."""
        answer = _Answer(scope, send)
        try:
            with self._drain.request() as request:
                await self._serve(scope, receive, answer, request)
        except Refused as refused:
            await refuse_unread(refused, scope, receive, send)
            return
        if request.cancel_called or answer.is_begun:
            await answer.end(_STOPPING if self._drain.is_ending else _ENDED, receive)

    async def _serve(self, scope: Scope, receive: Receive, answer: _Answer, request: anyio.CancelScope) -> None:
        account: str = scope[ACCOUNT]
        is_stream = _is_stream(scope)
        with (self._streams if is_stream else self._calls).taken(account, request.cancel) as seat:
            if isinstance(seat, int):
                raise busy(seat, "open streams" if is_stream else "requests in flight")
            async with self._bodies.read(scope, receive, account) as body:
                if body is None:
                    return
                if not is_stream:
                    seat.leave = None
                answer.about = body.outline
                await self._hand_on({**scope, ABOUT: body.outline}, receive, answer, body)

    async def _hand_on(self, scope: Scope, receive: Receive, answer: _Answer, body: Body) -> None:
        """Serve a request whose connection may end before the answer does, which then cancels it.

        The SDK does so for 2026-07-28 only. Before, a client could come back for its answer where the server stores
        events; this one stores none, so that nobody could ever read it.
        """
        cancellation = _cancellation(body.outline) if "mcp-session-id" in Headers(scope=scope) else None
        try:
            await self._app(scope, _replay(body.take(), receive), answer.send)
        finally:
            if cancellation and not answer.is_ended:
                with anyio.move_on_after(LINGER_SECONDS, shield=True):
                    await self._app({**scope, ABOUT: Outline()}, _replay(cancellation, receive), _nowhere)


class _Answer:
    """What has been sent in answer to one request; an event stream does not end without its answer.

    The SDK ends it so where a session ends in the middle of a call, and its client then waits for as long as it will.
    """

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope = scope
        self._send = send
        self.is_begun = False
        self.is_ended = False
        self.about: Outline | None = None
        """What the request is about, once its body has been read."""
        self._is_answered = True

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._is_answered = not (self._is_request and _is_events(message))
        elif not self._is_answered:
            body: bytes = message.get("body", b"")
            self._is_answered = _ANSWER.search(body, 0, _ANSWER_BEGINS_WITHIN) is not None
            if not self._is_answered and not message.get("more_body", False):
                message = {**message, "body": body + self._error(_ENDED)}
        await self._send(message)
        self.is_begun = True
        self.is_ended = message["type"] == "http.response.body" and not message.get("more_body", False)

    async def end(self, why: str, receive: Receive) -> None:
        """Answer what is not answered, and end what has not ended: event streams leave that out when they stop."""
        if self.is_begun:
            if not self.is_ended:
                rest = b"" if self._is_answered else self._error(why)
                await self._send({"type": "http.response.body", "body": rest})
        elif self.about:
            await refusal(503, why, request_id=self.about.id)(self._scope, receive, self._send)
        else:
            await refuse_unread(Refused(503, why), self._scope, receive, self._send)

    @property
    def _is_request(self) -> bool:
        return self.about is not None and self.about.method is not None and self.about.id is not None

    def _error(self, why: str) -> bytes:
        assert self.about is not None  # noqa: S101 - only requests have events that are an answer
        error = {"code": CONNECTION_CLOSED, "message": why}
        text = json.dumps({"jsonrpc": "2.0", "id": self.about.id, "error": error})
        return f"event: message\r\ndata: {text}\r\n\r\n".encode()


def _is_events(start: Message) -> bool:
    return Headers(raw=start["headers"]).get("content-type", "").startswith("text/event-stream")


def _is_stream(scope: Scope) -> bool:
    """Whether a request is for a stream of the server's own messages, in either era."""
    return scope["method"] == "GET" or Headers(scope=scope).get("mcp-method") == "subscriptions/listen"


def _replay(body: bytes, then: Receive) -> Receive:
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return messages.pop() if messages else await then()

    return receive


def _cancellation(about: Outline) -> bytes | None:
    """Return the notification that cancels a request, if that is what the message is."""
    if about.method is None or about.id is None:
        return None
    params: dict[str, Any] = {"requestId": about.id, "reason": "The connection was closed."}
    return json.dumps({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params}).encode()


async def _nowhere(message: Message) -> None:
    """Where answers go that nobody waits for."""
