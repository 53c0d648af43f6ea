"""Resources: what a client can attach without a tool call, as compact JSON, as the caller's account sees it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from mcp.server import MCPServer
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError

from quantinal_mcp.errors import QuantinalError
from quantinal_mcp.models.text import readable
from quantinal_mcp.protocol.caller import App
from quantinal_mcp.protocol.current import current_account, current_app, current_token
from quantinal_mcp.protocol.offers import aside
from quantinal_mcp.settings import Toolset

_PAGE_SIZE = 100


class Readable(NamedTuple):
    """A resource on offer: its URI or template, the function that reads it (its docstring is the model's), a title."""

    uri: str
    function: Callable[..., Awaitable[str]]
    title: str
    toolset: Toolset


async def spaces() -> str:
    """The account's spaces, with counts of trackers and results."""
    return await _read(lambda: current_account().client.list_spaces(1, _PAGE_SIZE))


async def skills() -> str:
    """What a tracker's agent can do, and what each skill costs per run in quants."""
    return await _read(lambda: current_account().client.list_skills({"page": 1, "page_size": _PAGE_SIZE}))


async def tracker(tracker_id: str) -> str:
    """A tracker's full configuration and status."""
    return await _read(lambda: current_account().client.get_tracker(tracker_id))


async def run(tracker_id: str, run_id: str) -> str:
    """One run of a tracker with all details: status, score, insight, cost."""
    return await _read(lambda: current_account().client.get_run(tracker_id, run_id))


async def vault(tracker_id: str) -> str:
    """Size and counts of a tracker's active vault, its own or a shared one."""
    return await _read(lambda: current_account().client.get_vault(tracker_id))


RESOURCES = (
    Readable("quantinal://spaces", spaces, "Spaces", "spaces"),
    Readable("quantinal://skills", skills, "Skills", "skills"),
    Readable("quantinal://trackers/{tracker_id}", tracker, "Tracker", "trackers"),
    Readable("quantinal://trackers/{tracker_id}/runs/{run_id}", run, "Run", "runs"),
    Readable("quantinal://trackers/{tracker_id}/vault", vault, "Vault", "vault"),
)
"""Every resource, in the order in which clients list them."""


def add_resources(server: MCPServer[App], toolsets: tuple[str, ...]) -> None:
    """Offer the resources of these toolsets; all of them only read.

    The SDK builds a model for each, as long as a fifth of a start takes, so they are built when a client first asks.
    """
    waiting = [item for item in RESOURCES if item.toolset in toolsets]

    async def build(ctx: ServerRequestContext[App, Any], call_next: CallNext) -> HandlerResult:
        while waiting and ctx.method.startswith("resources/"):
            item = waiting.pop(0)
            server.resource(item.uri, title=item.title, mime_type="application/json")(item.function)
        return await call_next(ctx)

    server.middleware.append(build)


async def _read(get: Callable[[], Awaitable[Any]]) -> str:
    try:
        return (await aside(await get(), current_token(), current_app()))[1]
    except QuantinalError as error:
        # An id that is none names nothing, whoever notices.
        is_missing = error.code in {"not_found", "invalid_request"}
        raise (ResourceNotFoundError if is_missing else ResourceError)(readable(str(error), current_token())) from None
