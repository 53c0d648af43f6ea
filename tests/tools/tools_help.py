"""A server on a sandbox, met as a client meets it, and what is true of every answer it gives."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal, cast

import httpx
import pytest
from jsonschema import Draft202012Validator
from mcp import Client
from mcp.client.session import ClientRequestContext
from mcp_types import CallToolResult, ElicitRequestFormParams, ElicitRequestParams, ElicitResult, TextContent, Tool

from quantinal_mcp.client import Http
from quantinal_mcp.sandbox import Fault, Sandbox
from quantinal_mcp.server import build_server
from quantinal_mcp.settings import Settings

TOKEN = "qapi_sandbox"
SPACE = "spc_f30e60c1-75fd-47f7-967e-29afc19a3ea7"
TESLA = "trk_a1b2c3d4-5e6f-4a7b-8c9d-0e1f2a3b4c5d"
SEMIS = "trk_e4f5a6b7-1c2d-4e3f-a4b5-c6d7e8f9a0b1"
"""Runs by itself, daily."""
PORTFOLIO = "trk_d2e3f4a5-6b7c-48d9-e0f1-2a3b4c5d6e7f"
"""Advanced reasoning, three linked trackers."""
UNUSED = "trk_a0b1c2d3-4e5f-46a7-b8c9-d0e1f2a3b4c5"
"""Has no runs and no sources."""
RUN = "run_9f8e7d6c-5a4b-4c3d-2e1f-0a9b8c7d6e5f"
SOURCE = "b4c5d6e7-8f9a-4b0c-1d2e-3f4a5b6c7d8e"

Mode = Literal["legacy", "auto"]
Json = dict[str, Any]

AGENT: Json = {"instruction": "Read the news.", "score_meaning": "Mood", "skills": ["web"]}
DAILY: Json = {"start_time": "2030-01-01T09:00:00Z", "interval_minutes": 1440}
NEW: Json = {
    "space_id": SPACE,
    "name": "New",
    "description": "A new one",
    "run_mode": "manual",
    "agent_config": AGENT,
}

CALLS: Mapping[str, Json] = {
    "list_spaces": {},
    "get_space": {"space_id": SPACE},
    "create_tracker": NEW,
    "list_trackers": {"space_id": SPACE},
    "get_tracker": {"tracker_id": TESLA},
    "update_tracker": {"tracker_id": TESLA, "agent_config": {"score_meaning": "Mood"}},
    "delete_tracker": {"tracker_id": TESLA, "confirm_name": "Tesla Sentiment"},
    "trigger_run": {"tracker_id": TESLA},
    "list_runs": {"tracker_id": TESLA},
    "get_run": {"tracker_id": TESLA, "run_id": RUN},
    "wait_for_run": {"tracker_id": TESLA, "run_id": RUN},
    "update_run_comment": {"tracker_id": TESLA, "run_id": RUN, "comment": "good"},
    "delete_run": {"tracker_id": TESLA, "run_id": RUN},
    "estimate_run_cost": {"tracker_id": TESLA},
    "get_score_history": {"tracker_id": TESLA},
    "get_vault": {"tracker_id": TESLA},
    "list_recent_vault_data": {"tracker_id": TESLA},
    "upload_vault_file": {"tracker_id": TESLA, "filename": "notes.txt", "content": "one"},
    "upload_vault_json": {"tracker_id": TESLA, "source_name": "rows", "data": {"a": 1}},
    "list_vault_sources": {"tracker_id": TESLA},
    "get_vault_source": {"tracker_id": TESLA, "source_id": SOURCE},
    "update_vault_source": {"tracker_id": TESLA, "source_id": SOURCE, "name": "earnings"},
    "delete_vault_source": {"tracker_id": TESLA, "source_id": SOURCE},
    "list_skills": {},
}
"""A call of each tool that succeeds on a fresh sandbox with a client that cannot ask."""

both_eras = pytest.mark.parametrize("mode", ["legacy", "auto"])
virtual_time = pytest.mark.parametrize("anyio_backend", ["trio_virtual"], indirect=True)

_LEAKS = re.compile(r"Traceback|pydantic|https?://|File \"|object at 0x|" + TOKEN)


def lines_of(**changes: Any) -> Json:
    """The arguments of a create, changed."""
    return {**NEW, **changes}


@dataclass
class Questions:
    """A user: answers each question the same way, and remembers what was asked."""

    action: Literal["accept", "decline", "cancel"] = "accept"
    content: Json | None = field(default_factory=lambda: {"confirm": True})
    asked: list[str] = field(default_factory=list[str])
    before_answering: Callable[[], None] = lambda: None

    async def __call__(self, context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:  # noqa: ARG002
        assert isinstance(params, ElicitRequestFormParams)
        self.asked.append(params.message)
        self.before_answering()
        return ElicitResult(action=self.action, content=self.content if self.action == "accept" else None)


class Caller:
    """One connected client; what holds for every result is checked on every call."""

    def __init__(self, client: Client, sandbox: Sandbox, promised: dict[str, Draft202012Validator]) -> None:
        self.client = client
        self.sandbox = sandbox
        self._promised = promised

    async def tools(self) -> dict[str, Tool]:
        return {tool.name: tool for tool in (await self.client.list_tools()).tools}

    async def promised(self, tool: str) -> Draft202012Validator:
        """The tool's output schema."""
        if not self._promised:
            for name, listed in (await self.tools()).items():
                assert listed.output_schema
                self._promised[name] = Draft202012Validator(listed.output_schema)
        return self._promised[tool]

    async def raw(self, tool: str, arguments: Json) -> CallToolResult:
        return await self.client.call_tool(tool, arguments)

    async def __call__(self, tool: str, /, **arguments: Any) -> Json:
        """The structured content of a success, which keeps every promise made for one."""
        result = await self.raw(tool, arguments)
        text = text_of(result)
        assert not result.is_error, text
        content = cast("Json", result.structured_content)
        assert isinstance(content, dict)
        assert text == json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        assert "null" not in json.dumps(_without_strings(content))
        problems = (await self.promised(tool)).iter_errors(content)  # pyright: ignore[reportUnknownMemberType]
        assert not list(problems)
        return content

    async def fails(self, tool: str, code: str, /, **arguments: Any) -> str:
        """The text of a failure with that code, which leaks nothing."""
        result = await self.raw(tool, arguments)
        text = text_of(result)
        assert result.is_error, text
        assert text.startswith(f"[{code}] "), text
        assert not _LEAKS.search(text), text
        assert len(text) < 1500
        assert "\n" not in text
        return text

    async def refused(self, tool: str, /, **arguments: Any) -> str:
        """The text of `[invalid_request]`, nothing having been sent."""
        before = len(self.sandbox.requests)
        text = await self.fails(tool, "invalid_request", **arguments)
        assert len(self.sandbox.requests) == before
        return text


def text_of(result: CallToolResult) -> str:
    (block,) = result.content
    assert isinstance(block, TextContent)
    return block.text


def _without_strings(value: Any) -> Any:
    if isinstance(value, dict):
        return [_without_strings(item) for item in cast("Json", value).values()]
    if isinstance(value, list):
        return [_without_strings(item) for item in cast("list[Any]", value)]
    return "" if isinstance(value, str) else value


@dataclass
class _Served:
    """A server that serves one connection after another, and the way by which the next one reaches its sandbox.

    Building the tools takes a hundred times as long as connecting; what a connection knows begins and ends with it.
    """

    settings: Settings
    ways: list[httpx.AsyncBaseTransport] = field(default_factory=list[httpx.AsyncBaseTransport])
    promised: dict[str, Draft202012Validator] = field(default_factory=dict[str, Draft202012Validator])

    def __post_init__(self) -> None:
        self.server = build_server(self.settings, lambda: Http("http://sandbox/v1", self.ways.pop()))


_served = cache(_Served)


@asynccontextmanager
async def connected(
    sandbox: Sandbox,
    *,
    mode: Mode = "auto",
    user: Questions | None = None,
    token: str | None = TOKEN,
    way: httpx.AsyncBaseTransport | None = None,
    **settings: Any,
) -> AsyncGenerator[Caller]:
    """A client of a server of that sandbox; it can ask its user if there is one."""
    served = _served(Settings(api_token=token, **settings))
    served.ways.append(way or sandbox.transport())
    async with Client(served.server, mode=mode, elicitation_callback=user) as client:
        yield Caller(client, sandbox, served.promised)


class Overheard(httpx.AsyncBaseTransport):
    """The way to a sandbox, and the JSON bodies that went along it."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._way = sandbox.transport()
        self.bodies: list[Json] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
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
