"""A client of the API, and services that misbehave in ways of their own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio.lowlevel
import httpx
import pytest

from quantinal_mcp.client import Http, QuantinalClient
from quantinal_mcp.models.runs import Run

TOKEN = "qapi_sandbox"
SPACE = "spc_f30e60c1-75fd-47f7-967e-29afc19a3ea7"
TESLA = "trk_a1b2c3d4-5e6f-4a7b-8c9d-0e1f2a3b4c5d"
RUN = "run_9f8e7d6c-5a4b-4c3d-2e1f-0a9b8c7d6e5f"
SOURCE = "b4c5d6e7-8f9a-4b0c-1d2e-3f4a5b6c7d8e"

virtual_time = pytest.mark.parametrize("anyio_backend", ["trio_virtual"], indirect=True)


def nobody_listens(_run: Run) -> None:
    """Where runs are told of when nobody books them."""


@asynccontextmanager
async def reaching(
    base_url: str = "http://service/v1", transport: httpx.AsyncBaseTransport | None = None, token: str = TOKEN
) -> AsyncGenerator[QuantinalClient]:
    http = Http(base_url, transport)
    try:
        yield QuantinalClient(http, token, nobody_listens)
    finally:
        await http.aclose()


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
