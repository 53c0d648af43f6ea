"""How to work with Quantinal, as a skill that a host can load (Skills, `io.modelcontextprotocol/skills`, SEP-2640).

The same text is in the plugins. It is one file, so its entry is one digest; to a host without the extension it is a
resource like any other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from mcp.server.context import ServerRequestContext
from mcp.server.extension import Extension, MethodBinding, ResourceBinding
from mcp.server.mcpserver.resources import TextResource
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS, PaginatedRequestParams, RequestParams

TEXT = Path(__file__).with_name("SKILL.md")
URI = "skill://quantinal/SKILL.md"

_FRESH = {"ttlMs": 3_600_000, "cacheScope": "public"}
"""It changes with the server only."""


class GetSkillParams(RequestParams):
    """Which skill."""

    uri: str


class Skills(Extension):
    """Serves the one skill; handshake clients are not told of extensions, and can read it as a resource."""

    identifier = "io.modelcontextprotocol/skills"

    @cached_property
    def text(self) -> str:
        """The skill as it is read."""
        return TEXT.read_text("utf-8")

    def resources(self) -> Sequence[ResourceBinding]:
        """Return its only file."""
        about = frontmatter(self.text)
        resource = TextResource(
            uri=URI,
            name=about["name"],
            title="How to work with Quantinal",
            description=about["description"],
            mime_type="text/markdown",
            text=self.text,
        )
        return [ResourceBinding(resource)]

    def methods(self) -> Sequence[MethodBinding]:
        """Return what finds it."""
        return [
            MethodBinding("skills/list", PaginatedRequestParams, self._list),
            MethodBinding("skills/get", GetSkillParams, self._get),
        ]

    async def _list(self, _ctx: ServerRequestContext[Any, Any], _params: PaginatedRequestParams) -> dict[str, Any]:
        return {"skills": [self._entry], **_FRESH}

    async def _get(self, _ctx: ServerRequestContext[Any, Any], params: GetSkillParams) -> dict[str, Any]:
        if params.uri != URI:
            raise MCPError(INVALID_PARAMS, "Unknown skill", {"uri": params.uri})
        return {"skill": self._entry, **_FRESH}

    @cached_property
    def _entry(self) -> dict[str, Any]:
        content = self.text.encode()
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        return {
            "uri": URI,
            "frontmatter": frontmatter(self.text),
            "resources": [{"uri": URI, "digest": digest, "size": len(content)}],
        }


def frontmatter(text: str) -> dict[str, str]:
    """Return what stands between the `---` lines of a skill, whose values are plain words in a line each."""
    lines = text.split("---\n", 2)[1].splitlines()
    return {name: value for name, _, value in (line.partition(": ") for line in lines)}
