"""A server on a sandbox of its own, reached as a client reaches it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import anyio
from mcp import Client
from mcp.client.session import ElicitationFnT
from mcp_types import CallToolResult, TextContent

from quantinal_mcp.client import Http
from quantinal_mcp.sandbox import Sandbox
from quantinal_mcp.server import build_server
from quantinal_mcp.settings import Settings

TESLA = "trk_a1b2c3d4-5e6f-4a7b-8c9d-0e1f2a3b4c5d"
TOKEN = "qapi_sandbox"

Result = TypeVar("Result")

SETTINGS = Settings(api_token=TOKEN)


class Caller:
    """A client of one server, which calls tools and reads what a model would."""

    def __init__(self, client: Client, sandbox: Sandbox) -> None:
        self.client = client
        self.sandbox = sandbox

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Return the structured content of a success."""
        result = await self.result(tool, **arguments)
        assert not result.is_error, text_of(result)
        assert result.structured_content is not None
        return result.structured_content

    async def error(self, tool: str, **arguments: Any) -> str:
        """Return the text of a failure."""
        result = await self.result(tool, **arguments)
        assert result.is_error, text_of(result)
        return text_of(result)

    async def result(self, tool: str, **arguments: Any) -> CallToolResult:
        """Return whatever comes back."""
        return await self.client.call_tool(tool, arguments)

    async def trigger(self, **arguments: Any) -> dict[str, Any]:
        """Trigger the Tesla tracker."""
        return await self.call("trigger_run", **{"tracker_id": TESLA, **arguments})

    @property
    def posts(self) -> int:
        """How many triggers reached the service."""
        return self.sandbox.count("POST", r"/runs$")

    @property
    def created(self) -> int:
        """How many runs the service began for them."""
        return sum(1 for run in self.sandbox.runs() if run["internal"]["origin"] == "api")


def text_of(result: CallToolResult) -> str:
    """Return the text that a model reads."""
    [content] = result.content
    assert isinstance(content, TextContent)
    return content.text


@asynccontextmanager
async def connected(
    sandbox: Sandbox, settings: Settings = SETTINGS, *, mode: str = "auto", ask: ElicitationFnT | None = None
) -> AsyncGenerator[Caller]:
    """A client of a server on `sandbox`, in process."""
    server = build_server(settings, lambda: Http("http://sandbox/v1", sandbox.transport()))
    async with Client(server, mode=mode, elicitation_callback=ask) as client:
        yield Caller(client, sandbox)


async def gather(*calls: Callable[[], Awaitable[Result]]) -> list[Result]:
    """Await all calls at once and return their results in order."""
    results: dict[int, Result] = {}

    async def one(place: int, call: Callable[[], Awaitable[Result]]) -> None:
        results[place] = await call()

    async with anyio.create_task_group() as tasks:
        for place, call in enumerate(calls):
            tasks.start_soon(one, place, call)
    return [results[place] for place in range(len(calls))]
