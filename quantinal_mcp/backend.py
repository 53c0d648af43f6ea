"""From settings to the connections to the API: a live host, or the embedded sandbox."""

from __future__ import annotations

from quantinal_mcp.client import Http
from quantinal_mcp.settings import Settings

SANDBOX_TOKEN = "qapi_sandbox"  # noqa: S105 - opens nothing but the simulation


def own_token(settings: Settings) -> str | None:
    """Return the token of the server's own account: the sandbox has its own, which no configured one replaces."""
    return SANDBOX_TOKEN if settings.sandbox else settings.api_token


def connect(settings: Settings) -> Http:
    """Return the client's connections; the caller closes them."""
    if not settings.sandbox:
        return Http(settings.base_url)
    from quantinal_mcp.sandbox import Sandbox  # noqa: PLC0415 - a live server does not pay for it

    return Http("http://sandbox/v1", Sandbox(tokens=(SANDBOX_TOKEN,)).transport())
