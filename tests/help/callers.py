"""A server on a sandbox, met as a client meets it, and what is true of every answer it gives."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, Literal, TypeVar, cast

import anyio
import httpx
from mcp import Client
from mcp.client.extension import ClientExtension
from mcp.client.session import ClientRequestContext, ElicitationFnT
from mcp.server import MCPServer
from mcp_types import CallToolResult, ElicitRequestFormParams, ElicitRequestParams, ElicitResult, TextContent, Tool
from pydantic_core import to_json

from help.seeded import TESLA, TOKEN, Json
from quantinal_mcp.client import Http
from quantinal_mcp.journal.database import Database
from quantinal_mcp.journal.sqlite import SqliteJournal
from quantinal_mcp.protocol.caller import App
from quantinal_mcp.sandbox import Fault, Sandbox
from quantinal_mcp.server import build_server
from quantinal_mcp.settings import Settings

Result = TypeVar("Result")

_CODE = re.compile(r"\[[a-z_]+\] ")
_LEAKS = re.compile(r"Traceback|pydantic|https?://|File \"|object at 0x|" + TOKEN)


@dataclass
class Questions:
    """A user: answers each question the same way, and remembers what was asked."""

    action: Literal["accept", "decline", "cancel"] = "accept"
    content: Json | None = field(default_factory=lambda: {"confirm": True})
    asked: list[str] = field(default_factory=list[str])
    before_answering: Callable[[], None] = lambda: None
    thinks: float = 0
    """Seconds until the answer."""

    async def __call__(self, context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:  # noqa: ARG002
        assert isinstance(params, ElicitRequestFormParams)
        assert list(params.requested_schema["properties"]) == ["confirm"]
        self.asked.append(params.message)
        self.before_answering()
        await anyio.sleep(self.thinks)
        return ElicitResult(action=self.action, content=self.content if self.action == "accept" else None)


class Caller:
    """One connected client; what holds for every result is checked on every call."""

    def __init__(self, client: Client, sandbox: Sandbox) -> None:
        self.client = client
        self.sandbox = sandbox

    async def tools(self) -> dict[str, Tool]:
        return {tool.name: tool for tool in (await self.client.list_tools()).tools}

    async def raw(self, tool: str, arguments: Json) -> CallToolResult:
        """Whatever comes back, unchecked."""
        return await self.client.call_tool(tool, arguments)

    async def result(self, tool: str, /, **arguments: Any) -> CallToolResult:
        """A success or a failure, which keeps every promise made for it."""
        result = await self.raw(tool, arguments)
        if result.is_error:
            keeps_the_promises_of_a_failure(text_of(result))
        else:
            keeps_the_promises_of_a_success(result)
        return result

    async def __call__(self, tool: str, /, **arguments: Any) -> Json:
        """The structured content of a success."""
        result = await self.result(tool, **arguments)
        assert not result.is_error, text_of(result)
        return cast("Json", result.structured_content)

    call = __call__

    async def error(self, tool: str, /, **arguments: Any) -> str:
        """The text of a failure."""
        result = await self.result(tool, **arguments)
        assert result.is_error, text_of(result)
        return text_of(result)

    async def fails(self, tool: str, code: str, /, **arguments: Any) -> str:
        """The text of a failure with that code."""
        text = await self.error(tool, **arguments)
        assert text.startswith(f"[{code}] "), text
        return text

    async def refused(self, tool: str, /, **arguments: Any) -> str:
        """The text of `[invalid_request]`, nothing having been sent."""
        before = len(self.sandbox.requests)
        text = await self.fails(tool, "invalid_request", **arguments)
        assert len(self.sandbox.requests) == before
        return text

    async def trigger(self, **arguments: Any) -> Json:
        """Trigger the Tesla tracker."""
        return await self("trigger_run", **{"tracker_id": TESLA, **arguments})

    @property
    def posts(self) -> int:
        """How many triggers reached the service."""
        return self.sandbox.count("POST", r"/runs$")

    @property
    def created(self) -> int:
        """How many runs the service began for them."""
        return sum(1 for run in self.sandbox.runs() if run["internal"]["origin"] == "api")


def keeps_the_promises_of_a_success(result: CallToolResult) -> None:
    """The text is the content as compact JSON, without nulls.

    That it is as the tool's output schema says was checked by the SDK's client, which raises if it is not.
    """
    content = cast("Json", result.structured_content)
    assert isinstance(content, dict)
    assert text_of(result) == to_json(content).decode()
    assert "null" not in json.dumps(_without_strings(content))


def keeps_the_promises_of_a_failure(text: str) -> None:
    """It begins with a code, is one short line, and leaks nothing."""
    assert _CODE.match(text), text
    assert not _LEAKS.search(text), text
    assert len(text) < 1500
    assert "\n" not in text


def text_of(result: CallToolResult) -> str:
    """The text that a model reads."""
    (block,) = result.content
    assert isinstance(block, TextContent)
    return block.text


def _without_strings(value: Any) -> Any:
    if isinstance(value, dict):
        return [_without_strings(item) for item in cast("Json", value).values()]
    if isinstance(value, list):
        return [_without_strings(item) for item in cast("list[Any]", value)]
    return "" if isinstance(value, str) else value


_way: ContextVar[tuple[Http, SqliteJournal]] = ContextVar("_way")
"""The connections and the journal of the server that is about to serve; its task inherits them from who connects."""

EPOCH = 1_790_000_000.0
"""When the tests' own journals begin: in September 2026."""


_opened: list[SqliteJournal | Database] = []


def memory_journal() -> SqliteJournal:
    """A journal that ends with its server or its test, on the event loop's clock: virtual where that is."""
    journal = SqliteJournal(now=lambda: EPOCH + anyio.current_time())
    _opened.append(journal)
    return journal


def shared_memory() -> Database:
    """What several processes of a test share in place of a file."""
    store = Database(None, None, gives_way=False)
    _opened.append(store)
    return store


def close_memory() -> None:
    """Close what this test has opened, which several servers may have used in turn."""
    while _opened:
        _opened.pop().close()


@cache
def _server(settings: Settings) -> MCPServer[App]:
    """A server that serves one connection after another.

    Building the tools takes a hundred times as long as connecting; what a connection knows begins and ends with it.
    """
    return build_server(settings, lambda: _way.get()[0], lambda: _way.get()[1])


@asynccontextmanager
async def connected(
    sandbox: Sandbox,
    /,
    mode: str = "auto",
    *,
    user: ElicitationFnT | None = None,
    token: str | None = TOKEN,
    way: httpx.AsyncBaseTransport | None = None,
    base_url: str | None = None,
    journal: SqliteJournal | None = None,
    now: datetime | None = None,
    extensions: Sequence[ClientExtension] = (),
    **settings: Any,
) -> AsyncGenerator[Caller]:
    """A client of a server of that sandbox, in process; it can ask its user if there is one.

    The server reaches the sandbox in process too, unless it is told a `base_url`. It is always `now` for it, if given.
    """
    http = Http(base_url) if base_url else Http("http://sandbox/v1", way or sandbox.transport())
    held = memory_journal() if now is None else SqliteJournal(now=now.timestamp)
    _way.set((http, journal or held))
    server = _server(Settings(api_token=token, **settings))
    async with Client(server, mode=mode, elicitation_callback=user, extensions=extensions) as client:
        yield Caller(client, sandbox)


@asynccontextmanager
async def client_of(sandbox: Sandbox, mode: str = "auto", **how: Any) -> AsyncGenerator[Client]:
    """The SDK's client alone, for what is no tool."""
    async with connected(sandbox, mode, **how) as caller:
        yield caller.client


async def gather(*calls: Callable[[], Awaitable[Result]]) -> list[Result]:
    """Await all calls at once and return their results in order."""
    results: dict[int, Result] = {}

    async def one(place: int, call: Callable[[], Awaitable[Result]]) -> None:
        results[place] = await call()

    async with anyio.create_task_group() as tasks:
        for place, call in enumerate(calls):
            tasks.start_soon(one, place, call)
    return [results[place] for place in range(len(calls))]


class Overheard(httpx.AsyncBaseTransport):
    """The way to a sandbox, and the JSON bodies and the traces that went along it."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._way = sandbox.transport()
        self.bodies: list[Json] = []
        self.traces: list[str | None] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.traces.append(request.headers.get("traceparent"))
        if content := await request.aread():
            self.bodies.append(json.loads(content))
        return await self._way.handle_async_request(request)


def answering(sandbox: Sandbox, method: str, path: str, body: Any, *, times: int | None = None) -> None:
    """Let the service answer a success with that body."""
    text = body if isinstance(body, str) else json.dumps(body)
    sandbox.faults.add(Fault(method, path, "status", times=times, code=200, body=text))


def tracker_of(sandbox: Sandbox, tracker_id: str = TESLA) -> Any:
    """A tracker as the sandbox holds it."""
    return sandbox.world.account().trackers[tracker_id]
