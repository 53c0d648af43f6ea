"""The picture of scores (MCP Apps, `io.modelcontextprotocol/ui`): hosts with frames show it beside a tool's answer.

What it draws is in the answer, which stays complete without it; what only it needs is in the answer's
`_meta["quantinal/scores"]`, which no model reads: the series with run ids, and the runs' factors.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mcp.server.apps import Apps, ResourceCsp, ResourcePermissions
from mcp.server.mcpserver.tools import Tool

PICTURED = frozenset({"get_score_history", "compare_scores"})
"""The tools whose answers the picture can draw."""

URI = "ui://quantinal/scores.html"
PAGE = Path(__file__).with_name("scores.html")


def with_picture(tools: Iterable[Tool]) -> list[Tool]:
    """Return these tools, those whose answers can be drawn naming the picture.

    Handshake clients negotiate no extensions and older hosts know the flat key only, so both are always there.
    """
    named = {"ui": {"resourceUri": URI}, "ui/resourceUri": URI}
    return [
        tool.model_copy(update={"meta": {**(tool.meta or {}), **named}}) if tool.name in PICTURED else tool
        for tool in tools
    ]


def picture(tools: Iterable[Tool]) -> list[Apps]:
    """Return the extension that serves the picture, where one of these tools can be drawn."""
    if not PICTURED & {tool.name for tool in tools}:
        return []
    apps = Apps()
    apps.add_html_resource(
        URI,
        PAGE.read_text("utf-8"),
        name="scores",
        title="Picture of scores",
        description="Draws the scores that get_score_history and compare_scores tell",
        csp=ResourceCsp(connect_domains=[], resource_domains=[], frame_domains=[], base_uri_domains=[]),
        permissions=ResourcePermissions(),
        prefers_border=True,
    )
    return [apps]
