"""A server over HTTP on loopback, met by raw requests of either era or by the SDK's client."""

from __future__ import annotations

import itertools
import json
import os
import ssl
import sys
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import httpx
from anyio.abc import Process
from mcp import Client
from mcp.client.extension import ClientExtension
from mcp.client.session import ElicitationFnT
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from help.eras import HANDSHAKE, MODERN, Mode
from help.seeded import TESLA, Json
from quantinal_mcp.sandbox import Sandbox
from quantinal_mcp.sandbox.serving import serve
from quantinal_mcp.settings import Settings
from quantinal_mcp.transports.bounds import Bounds
from quantinal_mcp.transports.http import app

POST_RUN = (r"POST", r"/runs$")
LONG: Mapping[str, Any] = {"tracker_id": TESLA, "sync": True, "context": {"sandbox": {"seconds": 30}}}
"""A trigger whose run outlives every test."""

_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def plain() -> httpx.AsyncClient:
    """A client for loopback; reading the system's certificates would take longer than the rest of most tests."""
    return httpx.AsyncClient(verify=_TLS, timeout=20)


@dataclass
class Served:
    """A running server; `in_flight` counts the requests it has not done with."""

    url: str = ""
    in_flight: int = 0


@asynccontextmanager
async def running(served_app: ASGIApp) -> AsyncGenerator[Served]:
    """Serve an app on a free port, its lifespan around it."""
    served = Served()
    to_app, from_test = anyio.create_memory_object_stream[Message](2)
    to_test, from_app = anyio.create_memory_object_stream[Message](2)

    async def counted(scope: Scope, receive: Receive, send: Send) -> None:
        served.in_flight += 1
        try:
            await served_app(scope, receive, send)
        finally:
            served.in_flight -= 1

    scope: Scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
    async with to_app, from_test, to_test, from_app, anyio.create_task_group() as tasks:

        async def live() -> None:
            await served_app(scope, from_test.receive, to_test.send)

        tasks.start_soon(live)
        await to_app.send({"type": "lifespan.startup"})
        assert (await from_app.receive())["type"] == "lifespan.startup.complete"
        async with serve(counted, 0) as base_url:
            served.url = base_url.removesuffix("/v1")
            yield served
        await to_app.send({"type": "lifespan.shutdown"})
        assert (await from_app.receive())["type"] == "lifespan.shutdown.complete"


@asynccontextmanager
async def serving(sandbox: Sandbox, bounds: Bounds | None = None, **settings: Any) -> AsyncGenerator[Served]:
    """A server of the sandbox's service."""
    async with (
        sandbox.serve() as service,
        running(app(Settings(base_url=service, **settings), bounds=bounds)) as served,
    ):
        yield served


def bearer(token: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}


@asynccontextmanager
async def connected(
    served: Served,
    token: str | None,
    mode: Mode,
    asked: ElicitationFnT | None = None,
    extensions: Sequence[ClientExtension] = (),
) -> AsyncGenerator[Client]:
    """The SDK's client."""
    async with create_mcp_http_client(headers=bearer(token)) as http:
        transport = streamable_http_client(f"{served.url}/mcp", http_client=http)
        async with Client(transport, mode=mode, elicitation_callback=asked, extensions=extensions) as client:
            yield client


@dataclass
class Wire:
    """Raw requests with one token, of whichever era; `session` is set in the handshake era."""

    url: str
    token: str | None
    session: str | None = None
    capabilities: Json = field(default_factory=lambda: {"elicitation": {"form": {}}})
    ids: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def headers(self, method: str, params: Json) -> dict[str, str]:
        headers = {"Accept": "application/json, text/event-stream", **bearer(self.token)}
        if self.session:
            return headers | {"MCP-Protocol-Version": HANDSHAKE, "Mcp-Session-Id": self.session}
        name = params.get("name") or params.get("uri")
        named: dict[str, str] = {"Mcp-Name": name} if name else {}
        return headers | {"MCP-Protocol-Version": MODERN, "Mcp-Method": method, **named}

    def request(self, http: httpx.AsyncClient, method: str, params: Json, request_id: int | None = None) -> Any:
        """Build, but do not send, a request."""
        if not self.session:
            meta: Json = {
                "io.modelcontextprotocol/protocolVersion": MODERN,
                "io.modelcontextprotocol/clientInfo": {"name": "wire", "version": "1"},
                "io.modelcontextprotocol/clientCapabilities": self.capabilities,
            }
            params = {**params, "_meta": meta}
        number = next(self.ids) if request_id is None else request_id
        body = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        return http.build_request("POST", f"{self.url}/mcp", headers=self.headers(method, params), json=body)

    async def send(self, method: str, params: Json, **headers: str) -> httpx.Response:
        async with plain() as http:
            request = self.request(http, method, params)
            request.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
            return await http.send(request)

    async def call(self, tool: str, /, *, more: Json | None = None, **arguments: Any) -> Json:
        """The result of a tool call."""
        response = await self.send("tools/call", {"name": tool, "arguments": arguments, **(more or {})})
        assert response.status_code == 200, response.text
        return answer_in(response)["result"]

    @asynccontextmanager
    async def begun(self, tool: str, /, **arguments: Any) -> AsyncGenerator[None]:
        """A tool call in flight, whose connection is closed in the end."""

        async def send() -> None:
            await self.send("tools/call", {"name": tool, "arguments": arguments})

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(send)
            yield
            tasks.cancel_scope.cancel()

    async def notify(self, method: str, params: Json) -> None:
        async with plain() as http:
            body = {"jsonrpc": "2.0", "method": method, "params": params}
            response = await http.post(f"{self.url}/mcp", headers=self.headers(method, {}), json=body)
            assert response.status_code == 202, response.text


async def opened(url: str, token: str | None) -> Wire:
    """A session of the handshake era."""
    wire = Wire(url, token)
    client = {"protocolVersion": HANDSHAKE, "capabilities": {}, "clientInfo": {"name": "wire", "version": "1"}}
    body = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": client}
    headers = {"Accept": "application/json, text/event-stream", **bearer(token)}
    async with plain() as http:
        response = await http.post(f"{url}/mcp", headers=headers, json=body)
    assert response.status_code == 200, response.text
    wire.session = response.headers["mcp-session-id"]
    await wire.notify("notifications/initialized", {})
    return wire


async def wired(served: Served, token: str | None, mode: Mode) -> Wire:
    return await opened(served.url, token) if mode == "legacy" else Wire(served.url, token)


def answer_in(response: httpx.Response) -> Json:
    """The JSON-RPC message that answers a request, as JSON or at the end of an event stream."""
    if response.headers["content-type"].startswith("application/json"):
        return response.json()
    data = [line.removeprefix("data: ") for line in response.text.splitlines() if line.startswith("data: {")]
    return json.loads(data[-1])


def text_of(result: Json) -> str:
    return result["content"][0]["text"]


def head(token: str, *more: str) -> bytes:
    """The head of a call, as it goes over a socket."""
    lines = ("POST /mcp HTTP/1.1", "Host: localhost", f"X-API-Key: {token}", "Content-Type: application/json")
    accepts = "Accept: application/json, text/event-stream"
    return "\r\n".join([*lines, accepts, f"MCP-Protocol-Version: {MODERN}", *more, "", ""]).encode()


async def connection_to(url: str) -> anyio.abc.SocketStream:
    return await anyio.connect_tcp("127.0.0.1", int(url.rpartition(":")[2]))


async def until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(5):
        while not condition():  # noqa: ASYNC110 - what happens on the other side sets no event here
            await anyio.sleep(0.005)


@asynccontextmanager
async def process(*arguments: str, **environment: str) -> AsyncGenerator[tuple[Process, str, str]]:
    """A server in a process of its own: it, its URL, and the line in which it said so."""
    command = [sys.executable, "-m", "quantinal_mcp", "serve", "--transport", "http", "--port", "0", *arguments]
    variables = {"PYTHONPATH": os.pathsep.join(sys.path), "XDG_STATE_HOME": os.environ["XDG_STATE_HOME"], **environment}
    async with await anyio.open_process(command, env=variables) as server:
        try:
            assert server.stderr is not None
            said = ""
            with anyio.fail_after(20):
                while " serving at " not in said or not said.endswith("\n"):
                    said += (await server.stderr.receive(1)).decode()
            yield server, said.partition(" serving at ")[2].partition("/mcp")[0], said
        finally:
            if server.returncode is None:
                server.kill()
