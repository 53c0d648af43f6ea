"""What every tool is handed: whose account this call is, and how to ask and tell whoever made it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, cast

import anyio
from mcp.server.mcpserver import AcceptedElicitation, Context, Resolve
from mcp_types import ElicitationCapability
from starlette.requests import Request

from quantinal_mcp.accounts.account import Account, Accounts
from quantinal_mcp.errors import InvalidRequest, NoToken
from quantinal_mcp.models.text import on_one_line, readable
from quantinal_mcp.runs.progress import Tell
from quantinal_mcp.settings import Settings

REQUEST_TOKEN = "quantinal.token"  # noqa: S105 - the name of a slot in the ASGI scope
"""Where the HTTP door leaves the token of a request that it has let in."""


@dataclass(frozen=True, slots=True)
class App:
    """The server's state: built once by its lifespan, handed to tools by `Resolve`."""

    settings: Settings
    accounts: Accounts
    token: str | None = field(repr=False)
    rendering: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(1), repr=False)
    """One thread renders large answers, so that they hold up nobody."""
    console_shown: dict[tuple[str, str], float] = field(default_factory=dict[tuple[str, str], float], repr=False)
    """When the console was last shown, by account (empty without a token) and by the code of what it mends."""


AppContext = Context[App, Request]


def app_of(ctx: AppContext) -> App:
    """Return the server's state."""
    return ctx.request_context.lifespan_context


def token_of(request: Any, app: App) -> str | None:
    """Return the token a call is made with: over HTTP the one its request was let in with, else the environment's."""
    if request is None:
        return app.token
    return cast("Mapping[str, Any]", request.scope).get(REQUEST_TOKEN)


async def account_of(ctx: AppContext) -> Account:
    """Return the caller's account.

    Raises:
        NoToken: No credentials came with the call, and none are configured.
    """
    return account_for(ctx.request_context.request, app_of(ctx))


def account_for(request: Any, app: App) -> Account:
    """Return the account that a request is made for; raises as `account_of` does."""
    token = token_of(request, app)
    if token is None:
        raise NoToken(
            "No Quantinal token is configured.",
            "Ask the user to create one (console: Account → API Tokens) and to set QUANTINAL_API_TOKEN, or to "
            "set QUANTINAL_SANDBOX=1 to try it without an account; then to restart this server.",
        )
    return app.accounts.of(token)


Caller = Annotated[Account, Resolve(account_of)]
"""The account that a call is made for."""

HELD = AcceptedElicitation[Any]
"""Into which mcp 2.3 wraps what each resolver returns. Unless somebody holds it, pydantic makes the type anew each
time, which costs a call a millisecond."""


def can_ask(ctx: AppContext) -> bool:
    """Whether the client can put a question to its user."""
    asks = _elicitation(ctx)
    return asks is not None and (asks.form is not None or asks.url is None)


def can_open(ctx: AppContext) -> bool:
    """Whether the client can offer its user a page."""
    asks = _elicitation(ctx)
    return asks is not None and asks.url is not None


def _elicitation(ctx: AppContext) -> ElicitationCapability | None:
    return ctx.client_capabilities.elicitation if ctx.client_capabilities else None


def tell_through(ctx: AppContext, since: float | None = None) -> Tell:
    """Return how to tell the client how a wait goes; a client that asked for no progress hears nothing.

    Progress is the seconds since `since`, by default now, and has no total, since nobody knows it.
    """
    started = anyio.current_time() if since is None else since

    token = token_of(ctx.request_context.request, app_of(ctx))

    async def tell(message: str) -> None:
        await ctx.report_progress(round(anyio.current_time() - started, 1), None, readable(message, token))

    return tell


def nulls_in(ctx: AppContext) -> frozenset[str]:
    """Return the names of the arguments that the caller gave as null, which count as not given."""
    return frozenset(name for name, value in _arguments(ctx).items() if value is None)


def refuse_empties(ctx: AppContext) -> None:
    """Where nothing is left to do, say so of what was given as an empty text, which counts as not given.

    Raises:
        InvalidRequest: An argument, or a field of one, is an empty text.
    """
    arguments = _arguments(ctx)
    fields = [
        (f"{name}.{inner}", item)
        for name, value in arguments.items()
        if isinstance(value, dict)
        for inner, item in cast("Mapping[str, Any]", value).items()
    ]
    if empty := [name for name, value in (*arguments.items(), *fields) if value == ""]:
        raise InvalidRequest(
            f"{on_one_line(empty[0])} is empty, which counts as not given.",
            "Nothing was sent; give a text with something in it.",
        )


def _arguments(ctx: AppContext) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", (ctx.request_context.params or {}).get("arguments") or {})
