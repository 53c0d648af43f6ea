"""A server on a sandbox, and what its prompts and completions say."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from mcp import Client
from mcp_types import PromptReference, ResourceTemplateReference, TextContent

from quantinal_mcp.client import Http
from quantinal_mcp.sandbox import Sandbox
from quantinal_mcp.server import build_server
from quantinal_mcp.settings import Settings

TOKEN = "qapi_sandbox"
TESLA = "trk_a1b2c3d4-5e6f-4a7b-8c9d-0e1f2a3b4c5d"
BRIEFING = PromptReference(name="briefing")


@asynccontextmanager
async def connected(
    sandbox: Sandbox, mode: str, *, token: str | None = TOKEN, **settings: Any
) -> AsyncGenerator[Client]:
    """A client of a server on that sandbox."""
    server = build_server(Settings(api_token=token, **settings), lambda: Http("http://sandbox/v1", sandbox.transport()))
    async with Client(server, mode=mode) as client:
        yield client


async def said(client: Client, name: str, **arguments: str) -> str:
    """The one message of a prompt."""
    [message] = (await client.get_prompt(name, arguments)).messages
    assert message.role == "user"
    assert isinstance(message.content, TextContent)
    return message.content.text


async def completed(
    client: Client,
    argument: str,
    typed: str,
    ref: PromptReference | ResourceTemplateReference = BRIEFING,
    **known: str,
) -> list[str]:
    """What an argument may become."""
    completion = (await client.complete(ref, {"name": argument, "value": typed}, known or None)).completion
    assert len(completion.values) <= 100
    return completion.values
