"""The tools as clients list them, written down ahead of time, one file each.

Building a tool's argument model and schemas takes milliseconds, for all of them a fifth of a start, and a session
calls few of them. So `listed/` holds what `build` would say (scripts/freshen.py writes and checks it), and a tool is
built when it is first called. The files are the contract with callers too: a change of one is seen in review.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

from mcp.server.context import CallNext, HandlerResult, ServerMiddleware, ServerRequestContext
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.tools import Tool
from mcp.server.mcpserver.utilities.func_metadata import ArgModelBase, FuncMetadata
from pydantic import Field

from quantinal_mcp.protocol.caller import App
from quantinal_mcp.protocol.calls.unknown import unknown_tool
from quantinal_mcp.protocol.offers import Offer, build, failed

FOLDER = Path(__file__).with_name("listed")


class ListedTool(Tool):
    """A tool that is listed as its file says, and built by its first call."""

    offer: Offer = Field(exclude=True)

    @cached_property
    def built(self) -> Tool:
        """The tool that runs."""
        return build(self.offer)

    async def run(self, arguments: dict[str, Any], context: Context[Any, Any], convert_result: bool = False) -> Any:
        """Run the built tool."""
        return await self.built.run(arguments, context, convert_result)


def listed(offers: Iterable[Offer]) -> list[Tool]:
    """Return the tools of these offers, defined but not built."""
    return [_listed(offer) for offer in offers]


def _listed(offer: Offer) -> Tool:
    definition = json.loads((FOLDER / f"{offer.function.__name__}.json").read_bytes())
    return ListedTool(
        fn=offer.function,
        name=offer.function.__name__,
        title=offer.title,
        description=definition["description"],
        parameters=definition["inputSchema"],
        fn_metadata=FuncMetadata(arg_model=ArgModelBase, output_schema=definition["outputSchema"]),
        is_async=True,
        context_kwarg=None,
        annotations=offer.hints,
        meta=offer.meta,
        offer=offer,
    )


def refusing_unknown(offered: Iterable[Offer], all_there_are: Iterable[Offer]) -> ServerMiddleware[App]:
    """Return the middleware that answers calls of tools that are not on offer with the nearest ones that are."""
    names = [offer.function.__name__ for offer in offered]
    withheld = {offer.function.__name__ for offer in all_there_are} - set(names)

    async def refuse(ctx: ServerRequestContext[App, Any], call_next: CallNext) -> HandlerResult:
        name = (ctx.params or {}).get("name") if ctx.method == "tools/call" else None
        if not isinstance(name, str) or name in names:
            return await call_next(ctx)
        return failed(str(unknown_tool(name, names, is_withheld=name in withheld)), None)

    return refuse


def define(offer: Offer) -> dict[str, Any]:
    """Return what `tools/list` is to say of an offer."""
    tool = build(offer)
    return {
        "name": tool.name,
        "title": offer.title,
        "description": tool.description,
        "annotations": offer.hints.model_dump(mode="json", by_alias=True, exclude_none=True),
        "inputSchema": tool.parameters,
        "outputSchema": tool.output_schema,
        "_meta": offer.meta,
    }
