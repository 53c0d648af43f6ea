"""A server on a sandbox, and clients of different accounts."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from mcp import Client, MCPError
from mcp.server import MCPServer
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp_types import Implementation, ReadResourceResult, TextResourceContents
from starlette.requests import Request

from quantinal_mcp.client import Http
from quantinal_mcp.protocol.caller import REQUEST_TOKEN, App
from quantinal_mcp.sandbox import Sandbox
from quantinal_mcp.server import build_server
from quantinal_mcp.settings import Settings

TOKEN = "qapi_sandbox"
TESLA = "trk_a1b2c3d4-5e6f-4a7b-8c9d-0e1f2a3b4c5d"
RUN = "run_9f8e7d6c-5a4b-4c3d-2e1f-0a9b8c7d6e5f"
SPACE = "spc_f30e60c1-75fd-47f7-967e-29afc19a3ea7"


def server_on(sandbox: Sandbox, *, token: str | None = TOKEN, **settings: Any) -> MCPServer[App]:
    """A server on that sandbox; it serves one connection."""
    return build_server(Settings(api_token=token, **settings), lambda: Http("http://sandbox/v1", sandbox.transport()))


@asynccontextmanager
async def connected(
    sandbox: Sandbox, mode: str, *, token: str | None = TOKEN, **settings: Any
) -> AsyncGenerator[Client]:
    """A client of a server on that sandbox."""
    async with Client(server_on(sandbox, token=token, **settings), mode=mode) as client:
        yield client


@asynccontextmanager
async def two_accounts(sandbox: Sandbox, mode: str, one: str, other: str) -> AsyncGenerator[tuple[Client, Client]]:
    """Two clients of servers that learn whose call it is from the request alone, as over HTTP."""
    server = server_on(sandbox, token=None)

    async def let_in(ctx: ServerRequestContext[App, Any], call_next: CallNext) -> HandlerResult:
        params = ctx.session.client_params
        token = params.client_info.name if params and params.client_info else None
        return await call_next(replace(ctx, request=Request({"type": "http", REQUEST_TOKEN: token})))

    server.middleware.insert(0, let_in)
    async with (
        Client(server, mode=mode, client_info=Implementation(name=one, version="1")) as first,
        Client(server, mode=mode, client_info=Implementation(name=other, version="1")) as second,
    ):
        yield first, second


def text_of(result: ReadResourceResult) -> str:
    """The one text that was read."""
    [content] = result.contents
    assert isinstance(content, TextResourceContents)
    assert content.mime_type == "application/json"
    return content.text


async def read(client: Client, uri: str) -> Any:
    """What a resource says, which is compact JSON without nulls."""
    text = text_of(await client.read_resource(uri, cache_mode="bypass"))
    value = json.loads(text)
    assert text == json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    assert ":null" not in text
    return value


async def refusal(client: Client, uri: str) -> MCPError:
    """How a read fails."""
    with pytest.raises(MCPError) as caught:
        await client.read_resource(uri)
    return caught.value
