"""The request being served, for what the SDK calls without its context, and errors as each era of the protocol has
them."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS
from opentelemetry.propagate import inject

from quantinal_mcp.accounts.account import Account
from quantinal_mcp.client.trace import belonging_to
from quantinal_mcp.protocol.caller import App, account_for, token_of

NOT_FOUND_BY_HANDSHAKE = -32002
"""What the revisions up to 2025-11-25 call a resource that is not there; later ones call it invalid params."""

_REQUEST: ContextVar[ServerRequestContext[App, Any]] = ContextVar("quantinal_request")


async def remember(ctx: ServerRequestContext[App, Any], call_next: CallNext) -> HandlerResult:
    """Middleware: let what serves this request know who made it and to what trace it belongs, and correct how it is
    refused."""
    place = _REQUEST.set(ctx)
    try:
        with belonging_to(_traceparent() or (ctx.meta or {}).get("traceparent")):
            return await call_next(ctx)
    except MCPError as error:
        is_missing = ctx.method == "resources/read" and error.code == INVALID_PARAMS
        if is_missing and ctx.protocol_version in HANDSHAKE_PROTOCOL_VERSIONS:
            raise MCPError(NOT_FOUND_BY_HANDSHAKE, error.message, error.data) from None
        raise
    except ValueError as error:
        if ctx.method != "prompts/get" or type(error) is not ValueError:
            raise
        # The SDK's word for a prompt or arguments that there are not, which it would report as its own failure.
        raise MCPError(INVALID_PARAMS, str(error)) from error
    finally:
        _REQUEST.reset(place)


def _traceparent() -> str | None:
    """Return the span that the SDK has made for this request, itself part of the caller's trace; None without one."""
    carrier: dict[str, str] = {}
    inject(carrier)
    return carrier.get("traceparent")


def current_token() -> str | None:
    """Return the token that the request being served is made with."""
    ctx = _REQUEST.get()
    return token_of(ctx.request, ctx.lifespan_context)


def current_app() -> App:
    """Return the state of the server that serves the request."""
    return _REQUEST.get().lifespan_context


def current_account() -> Account:
    """Return the account that the request being served is made for.

    Raises:
        NoToken: No credentials came with it, and none are configured.
    """
    ctx = _REQUEST.get()
    return account_for(ctx.request, ctx.lifespan_context)
