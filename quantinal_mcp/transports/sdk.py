"""The SDK's HTTP app, with what is amiss in it put right: what this module does beyond making it should go."""

from __future__ import annotations

from typing import Any

from mcp.server import MCPServer
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.transport_security import TransportSecuritySettings
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from quantinal_mcp.transports.bounds import Bounds


def sdk_app(server: MCPServer[Any], path: str, security: TransportSecuritySettings, bounds: Bounds) -> ASGIApp:
    """Return the app that speaks MCP at `path`, and serves the server's own routes.

    - Starlette answers `/mcp/` with a redirect to whatever Host says; here there is none.
    - mcp 2.3 holds three copies of a body for as long as its request takes: its middleware that limits bodies reads
      them into one, and copies that into another. Bodies are limited before they come here, so it is left out.
    - mcp 2.3 keeps a request's body in the context of its call, and asyncio keeps that in every timer that was set in
      it, for as long as the timer would have run. Nobody reads it there, so it is dropped.
    - mcp 2.3 answers `GET` with a `Last-Event-ID`, where events are not stored, with no answer at all, which the web
      server makes a 500; without the header it opens the stream.
    """
    app = server.streamable_http_app(
        streamable_http_path=path,
        max_request_body_size=bounds.largest_body,
        session_idle_timeout=bounds.idle_seconds,
        max_sessions=None,
        transport_security=security,
    )
    app.router.redirect_slashes = False
    server.middleware.insert(0, _drop_body)
    manager: Any = server.session_manager
    manager.asgi_app = manager.asgi_app.app

    async def without_replay(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and "last-event-id" in Headers(scope=scope):
            scope = {**scope, "headers": [pair for pair in scope["headers"] if pair[0] != b"last-event-id"]}
        await app(scope, receive, send)

    return without_replay


async def _drop_body(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    request: Any = ctx.request
    if isinstance(request, Request):
        request._body = b""  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    return await call_next(ctx)
