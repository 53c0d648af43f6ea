from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import anyio
import pytest
from mcp import Client, MCPError
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp_types import Implementation, ReadResourceResult, TextResourceContents
from pydantic_core import to_json
from starlette.requests import Request

from help.callers import client_of
from help.seeded import RUN, SPACE, TESLA, TOKEN
from quantinal_mcp.client import Http
from quantinal_mcp.protocol.caller import REQUEST_TOKEN, App
from quantinal_mcp.sandbox import Fault, Sandbox
from quantinal_mcp.server import build_server
from quantinal_mcp.settings import Settings

pytestmark = pytest.mark.anyio

URIS = {
    "quantinal://spaces": ("list_spaces", {"page_size": 100}),
    "quantinal://skills": ("list_skills", {"page_size": 100}),
    f"quantinal://trackers/{TESLA}": ("get_tracker", {"tracker_id": TESLA}),
    f"quantinal://trackers/{TESLA}/runs/{RUN}": ("get_run", {"tracker_id": TESLA, "run_id": RUN}),
    f"quantinal://trackers/{TESLA}/vault": ("get_vault", {"tracker_id": TESLA}),
}


@asynccontextmanager
async def two_accounts(sandbox: Sandbox, mode: str, one: str, other: str) -> AsyncGenerator[tuple[Client, Client]]:
    """Two clients of servers that learn whose call it is from the request alone, as over HTTP."""
    server = build_server(Settings(), lambda: Http("http://sandbox/v1", sandbox.transport()))

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
    assert text == to_json(value).decode()
    assert ":null" not in text
    return value


async def refusal(client: Client, uri: str) -> MCPError:
    """How a read fails."""
    with pytest.raises(MCPError) as caught:
        await client.read_resource(uri)
    return caught.value


async def listed(client: Client) -> list[str]:
    resources = (await client.list_resources()).resources
    templates = (await client.list_resource_templates()).resource_templates
    return [item.uri for item in resources] + [item.uri_template for item in templates]


@pytest.mark.parametrize("uri", URIS)
async def test_a_resource_says_all_that_the_tool_says(uri: str, mode: str) -> None:
    tool, arguments = URIS[uri]
    async with client_of(Sandbox(), mode) as client:
        said: Any = (await client.call_tool(tool, arguments)).structured_content
        said.pop("next_step", None)
        assert {**await read(client, uri), **said} == await read(client, uri)


async def test_resources_and_templates_are_listed_in_one_order_with_titles(mode: str) -> None:
    async with client_of(Sandbox(), mode) as client:
        assert await listed(client) == [
            "ui://quantinal/scores.html",
            "skill://quantinal/SKILL.md",
            "quantinal://spaces",
            "quantinal://skills",
            "quantinal://trackers/{tracker_id}",
            "quantinal://trackers/{tracker_id}/runs/{run_id}",
            "quantinal://trackers/{tracker_id}/vault",
        ]
        for item in (await client.list_resource_templates()).resource_templates:
            assert item.title
            assert item.description
            assert item.mime_type == "application/json"


async def test_resources_follow_the_toolsets_and_stay_where_only_reading_is_allowed(mode: str) -> None:
    async with client_of(Sandbox(), mode, toolsets=("runs", "skills"), read_only=True) as client:
        assert await listed(client) == [
            "ui://quantinal/scores.html",
            "skill://quantinal/SKILL.md",
            "quantinal://skills",
            "quantinal://trackers/{tracker_id}/runs/{run_id}",
        ]


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("quantinal://trackers/trk_gone", "[not_found] "),
        (f"quantinal://trackers/{TESLA}/runs/run_gone", "[not_found] "),
        ("quantinal://trackers/a%2Fb", "[invalid_request] "),
        ("quantinal://trackers/..", "Unknown resource"),
        ("quantinal://elsewhere", "Unknown resource"),
    ],
)
async def test_what_is_not_there_is_refused_as_the_era_has_it(uri: str, words: str, mode: str) -> None:
    async with client_of(Sandbox(), mode) as client:
        error = await refusal(client, uri)
    assert error.code == (-32002 if mode == "legacy" else -32602)
    assert error.message.startswith(words)
    assert error.data == {"uri": uri}


async def test_a_failure_carries_the_code_of_the_tools(mode: str) -> None:
    sandbox = Sandbox()
    async with client_of(sandbox, mode, token="qapi_unknown") as client:
        error = await refusal(client, "quantinal://spaces")
    assert error.code == -32603
    assert error.message.startswith("[unauthorized] ")
    assert "qapi_unknown" not in str(error.error)


async def test_without_a_token_a_read_says_how_to_get_one(mode: str) -> None:
    async with client_of(Sandbox(), mode, token=None) as client:
        assert (await refusal(client, "quantinal://spaces")).message.startswith("[no_token] ")
        assert (await refusal(client, f"quantinal://trackers/{TESLA}")).message.startswith("[no_token] ")


async def test_hidden_characters_are_gone(mode: str) -> None:
    sandbox = Sandbox()
    sandbox.faults.add(
        Fault(
            "GET", "/trackers/", "status", code=200, body='{"tracker_id":"trk_1","name":"a\\u202eb\\u200bc","x":null}'
        )
    )
    async with client_of(sandbox, mode) as client:
        assert await read(client, f"quantinal://trackers/{TESLA}") == {"tracker_id": "trk_1", "name": "abc"}


async def test_a_token_that_the_service_echoes_is_read_by_nobody(mode: str) -> None:
    sandbox = Sandbox()
    hidden = f"{TOKEN[:5]}\\u200b\\u0073{TOKEN[6:]}"
    sandbox.faults.add(
        Fault("GET", "/trackers/", "status", code=200, body=f'{{"tracker_id":"trk_1","name":"{hidden}"}}'),
        Fault("GET", "/trackers/", "status", code=400, body=f'{{"detail":"No {hidden}"}}'),
    )
    async with client_of(sandbox, mode) as client:
        uri = f"quantinal://trackers/{TESLA}"
        assert await read(client, uri) == {"tracker_id": "trk_1", "name": "[token]"}
        assert "No [token]." in str((await refusal(client, uri)).error)


async def test_each_account_reads_its_own(mode: str) -> None:
    sandbox = Sandbox(tokens=("qapi_ada", "qapi_bob"))
    async with two_accounts(sandbox, mode, "qapi_ada", "qapi_bob") as (ada, bob):
        made = await ada.call_tool(
            "create_tracker",
            {
                "space_id": SPACE,
                "name": "Ada's own",
                "description": "Hers",
                "run_mode": "manual",
                "agent_config": {"instruction": "Read.", "score_meaning": "Mood", "skills": ["web"]},
            },
        )
        assert made.structured_content is not None
        uri = f"quantinal://trackers/{made.structured_content['tracker_id']}"
        counts: list[tuple[int, int]] = []

        async def count(whose: int, client: Client) -> None:
            counts.append((whose, (await read(client, "quantinal://spaces"))["data"][0]["tracker_count"]))

        async with anyio.create_task_group() as tasks:
            for _ in range(10):
                tasks.start_soon(count, 0, bob)
                tasks.start_soon(count, 1, ada)
        before = min(counts)[1]
        assert sorted(counts) == [(0, before)] * 10 + [(1, before + 1)] * 10
        assert (await read(ada, uri))["name"] == "Ada's own"
        assert (await refusal(bob, uri)).message.startswith("[not_found] ")


async def test_lists_may_be_shared_for_an_hour_and_what_is_read_is_private_and_stale_at_once() -> None:
    async with client_of(Sandbox(), "auto") as client:
        for result in (
            await client.list_tools(),
            await client.list_prompts(),
            await client.list_resources(),
            await client.list_resource_templates(),
        ):
            assert (result.ttl_ms, result.cache_scope) == (3_600_000, "public")
        result = await client.read_resource("quantinal://spaces")
        assert (result.ttl_ms, result.cache_scope) == (0, "private")
