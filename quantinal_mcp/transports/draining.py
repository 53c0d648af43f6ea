"""Ending what is in flight when the server stops, in a way that clients understand."""

from __future__ import annotations

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from quantinal_mcp.transports.refusals import refusal


class Draining:
    """The requests in flight, so that they can be ended when the server stops."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._open: set[anyio.CancelScope] = set()
        self._is_ending = False

    def end(self) -> None:
        """End every request, and every one that still comes."""
        self._is_ending = True
        for request in self._open:
            request.cancel()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on; one that is ended gets an end its client understands."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_begun = is_answered = False

        async def note(message: Message) -> None:
            nonlocal is_begun, is_answered
            await send(message)
            is_begun = True
            is_answered = message["type"] == "http.response.body" and not message.get("more_body", False)

        with anyio.CancelScope() as request:
            self._open.add(request)
            try:
                if self._is_ending:
                    request.cancel()
                await self._app(scope, receive, note)
            finally:
                self._open.discard(request)
        if is_begun and not is_answered:
            # Event streams also end by themselves when they notice the stop, and leave out their end as well.
            await send({"type": "http.response.body", "body": b""})
        elif request.cancelled_caught and not is_begun:
            await refusal(503, "The server is stopping; try again in a minute.")(scope, receive, send)
