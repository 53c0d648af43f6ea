"""Clients of the API without a server, and services that misbehave in ways of their own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio.lowlevel
import httpx

from help.seeded import TOKEN
from quantinal_mcp.client import Http, QuantinalClient
from quantinal_mcp.sandbox import Sandbox


@asynccontextmanager
async def reaching(
    base_url: str = "http://service/v1", transport: httpx.AsyncBaseTransport | None = None, token: str = TOKEN
) -> AsyncGenerator[QuantinalClient]:
    http = Http(base_url, transport)
    try:
        yield QuantinalClient(http, token)
    finally:
        await http.aclose()


def in_process(sandbox: Sandbox, token: str = TOKEN) -> httpx.AsyncClient:
    """A client of others, of which the tests of the sandbox are one."""
    return httpx.AsyncClient(
        transport=sandbox.transport(),
        base_url="http://sandbox/v1",
        headers={"Authorization": f"Bearer {token}"},
    )


class Scripted(httpx.AsyncBaseTransport):
    """Answers every request in the same way, and keeps them."""

    def __init__(self, answer: Callable[[httpx.Request], httpx.Response]) -> None:
        self._answer = answer
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        await anyio.lowlevel.checkpoint()
        self.requests.append(request)
        return self._answer(request)


def always(content: bytes | str, status: int = 200, **headers: str) -> Scripted:
    return Scripted(lambda _request: httpx.Response(status, content=content, headers=headers))


@asynccontextmanager
async def raw_service(respond: Callable[[asyncio.StreamWriter], Any]) -> AsyncGenerator[str]:
    """A socket that reads one request's head and lets `respond` write whatever it wants."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            await respond(writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
