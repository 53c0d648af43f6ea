"""Clients of the API without a server, and services that misbehave in ways of their own."""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal

import anyio.lowlevel
import httpx

from help.seeded import RUN, TOKEN
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


@dataclass(eq=False)
class Line:
    """One connection that a `Keeping` service accepted, and the first lines of the requests that it carried."""

    writer: asyncio.StreamWriter
    asked: list[str] = field(default_factory=list[str])
    gone: Literal["", "reset", "mute"] = ""


class Keeping:
    """A service on a socket that keeps connections, until it forgets them.

    A forgotten connection looks open, and answers what then comes by it with a reset, or not at all.
    """

    def __init__(self, headers: str = "") -> None:
        self._headers = headers
        self.lines: list[Line] = []
        self.heads: list[str] = []
        self.url = ""
        self.port = 0

    @property
    def asked(self) -> list[str]:
        return [request for line in self.lines for request in line.asked]

    def forget(self, how: Literal["reset", "mute"]) -> None:
        for line in self.lines:
            line.gone = how

    @asynccontextmanager
    async def serving(self, tls: ssl.SSLContext | None = None) -> AsyncGenerator[Keeping]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=tls)
        async with server:
            self.port = server.sockets[0].getsockname()[1]
            self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.port}/v1"
            try:
                yield self
            finally:
                for line in self.lines:
                    line.writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = Line(writer)
        self.lines.append(line)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                line.asked.append(head.partition(" HTTP/")[0])
                self.heads.append(head)
                if length := re.search(r"content-length: (\d+)", head, re.IGNORECASE):
                    await reader.readexactly(int(length[1]))
                if line.gone == "reset":
                    writer.transport.abort()
                elif not line.gone:
                    await asyncio.sleep(0.02)
                    body = json.dumps({"data": [], "run_id": RUN, "status": "pending"}).encode()
                    answer = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n{self._headers}\r\n"
                    writer.write(answer.encode() + body)
                    await writer.drain()
