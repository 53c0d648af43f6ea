"""Tasks over HTTP: their headers, and servers that go while a run goes on."""

from __future__ import annotations

import base64
from typing import Any

import anyio
import httpx
import pytest

from help.following import DECLARED, Following
from help.over_http import POST_RUN, Wire, connected, plain, process, serving
from help.seeded import ANN, BEN, TESLA, Json
from quantinal_mcp.extensions.tasks import IDENTIFIER
from quantinal_mcp.sandbox import Sandbox

pytestmark = pytest.mark.anyio

KEYS = "first-key-of-thirty-two-bytes-or-more"


def lasting(seconds: float) -> Json:
    return {"tracker_id": TESLA, "context": {"sandbox": {"seconds": seconds, "fail": False}}}


def following(url: str, token: str | None = ANN) -> Wire:
    return Wire(url, token, capabilities=DECLARED)


def code_of(response: httpx.Response) -> int:
    return response.json()["error"]["code"]


async def test_the_sdks_client_follows_a_run_to_its_score(sandbox: Sandbox) -> None:
    driving = Following()
    async with serving(sandbox) as served, connected(served, ANN, "auto", extensions=[driving]) as client:
        run: Any = (await client.call_tool("trigger_run", lasting(5))).structured_content
    assert run["status"] == "completed"
    assert driving.told[0]["resultType"] == "task"
    assert sandbox.count(*POST_RUN) == 1


async def test_a_wrong_name_header_is_refused_and_a_missing_one_is_taken(sandbox: Sandbox) -> None:
    async with serving(sandbox) as served:
        wire, get = following(served.url), {"taskId": "none"}
        for wrong in ("other", "=?base64?bm9uZQ", f"=?base64?{base64.b64encode(b'other').decode()}?="):
            for method in ("tasks/get", "tasks/cancel", "tasks/update"):
                response = await wire.send(method, {**get, "inputResponses": {}}, Mcp_Name=wrong)
                assert (response.status_code, code_of(response)) == (400, -32020)
        for right in ({}, {"Mcp_Name": "none"}, {"Mcp_Name": f"=?base64?{base64.b64encode(b'none').decode()}?="}):
            assert code_of(await wire.send("tasks/get", get, **right)) == -32602


async def test_a_client_that_does_not_declare_tasks_is_told_what_is_missing(sandbox: Sandbox) -> None:
    required: Json = {"requiredCapabilities": {"extensions": {IDENTIFIER: {}}}}
    async with serving(sandbox) as served:
        asking = Wire(served.url, ANN)
        requests: dict[str, Json] = {
            "tasks/get": {"taskId": "none"},
            "tasks/cancel": {"taskId": "none"},
            "tasks/update": {"taskId": "none", "inputResponses": {}},
            "subscriptions/listen": {"notifications": {"taskIds": ["none"]}},
        }
        for method, params in requests.items():
            error = (await asking.send(method, params)).json()["error"]
            assert (error["code"], error["data"]) == (-32021, required)


async def test_a_subscription_to_tasks_is_acknowledged_without_them(sandbox: Sandbox) -> None:
    async with serving(sandbox) as served, plain() as http:
        wanted = {"notifications": {"taskIds": ["none"], "toolsListChanged": True}}
        request = following(served.url).request(http, "subscriptions/listen", wanted)
        response = await http.send(request, stream=True)
        with anyio.fail_after(5):
            told = await anext(line async for line in response.aiter_lines() if line.startswith("data: {"))
        await response.aclose()
    assert '"toolsListChanged":true' in told
    assert "taskIds" not in told


@pytest.mark.slow
async def test_a_task_outlives_its_server_and_is_served_by_any_that_shares_its_keys_and_journal(
    sandbox: Sandbox,
) -> None:
    async with sandbox.serve() as service:
        shared = {"QUANTINAL_BASE_URL": service, "QUANTINAL_STATE_KEYS": KEYS}
        async with process(**shared) as (_, other, _):
            async with process(**shared) as (server, one, _):
                created = await following(one).call("trigger_run", **lasting(8))
                assert created["resultType"] == "task"
                get = {"taskId": created["taskId"]}
                server.kill()
            task = (await following(other).send("tasks/get", get)).json()["result"]
            assert task["status"] == "working"
            assert code_of(await following(other, BEN).send("tasks/get", get)) == -32602
        async with process(**shared) as (_, another, _):
            with anyio.fail_after(20):
                while task["status"] == "working":
                    await anyio.sleep(task["pollIntervalMs"] / 1000)
                    task = (await following(another).send("tasks/get", get)).json()["result"]
    run = task["result"]["structuredContent"]
    assert (task["status"], run["status"], run["cost"]["charged_quants"]) == ("completed", "completed", 0.02)
    assert run["cost"]["estimated_quants"] > 0
    assert sandbox.count(*POST_RUN) == 1
