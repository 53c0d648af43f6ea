"""Every argument of every tool, as the server lists it."""

from __future__ import annotations

import json
from collections.abc import Iterator

from help.seeded import CALLS, Json
from quantinal_mcp.protocol.definitions import FOLDER

TOOLS: dict[str, Json] = {
    tool: json.loads((FOLDER / f"{tool}.json").read_bytes())["inputSchema"]["properties"] for tool in CALLS
}


def arguments() -> Iterator[tuple[str, str, Json]]:
    """Every argument of every tool, and its schema."""
    for tool, properties in TOOLS.items():
        for name, schema in properties.items():
            yield tool, name, schema
