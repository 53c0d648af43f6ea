"""The tools as clients list them, written down ahead of time.

Building a tool's argument model and schemas takes milliseconds, for 24 tools a fifth of a start, and a session calls
few of them. So `definitions.json` holds what `build` would say (scripts/definitions.py writes and checks it), and a
tool is built when it is first called.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.tools import Tool
from mcp.server.mcpserver.utilities.func_metadata import ArgModelBase, FuncMetadata
from pydantic import Field

from quantinal_mcp.protocol.offers import Offer, build

FILE = Path(__file__).with_name("definitions.json")


class ListedTool(Tool):
    """A tool that is listed as `definitions.json` says, and built by its first call."""

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
    definitions: Mapping[str, Any] = json.loads(FILE.read_bytes())
    return [_listed(offer, definitions[offer.function.__name__]) for offer in offers]


def _listed(offer: Offer, definition: Mapping[str, Any]) -> Tool:
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
        offer=offer,
    )


def define(offer: Offer) -> dict[str, Any]:
    """Return what `definitions.json` is to say of an offer."""
    tool = build(offer)
    return {"description": tool.description, "inputSchema": tool.parameters, "outputSchema": tool.output_schema}
