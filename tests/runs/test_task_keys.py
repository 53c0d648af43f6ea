"""Whose task an id is: sealed, of one account and for a day, and served by whoever has the keys."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from mcp.client.extension import advertise
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolRequest, CallToolRequestParams, CallToolResult
from pydantic import Field

from help.callers import Questions, connected
from help.following import DECLARING, Following, cancel, get, lasting, task_of, told, update
from help.seeded import ANN, BEN, PORTFOLIO, TESLA, Json
from quantinal_mcp.protocol.detached import DETACHED
from quantinal_mcp.sandbox import Sandbox

pytestmark = pytest.mark.anyio

KEYS = ("first-key-of-thirty-two-bytes-or-more",)
OTHER_KEYS = ("other-key-of-thirty-two-bytes-or-more",)


async def refused(session: Any, task_id: str) -> int:
    with pytest.raises(MCPError) as error:
        await get(session, task_id)
    return error.value.code


async def test_a_forged_or_altered_id_is_no_task() -> None:
    async with connected(Sandbox(), extensions=DECLARING, state_keys=KEYS) as caller:
        session = caller.client.session
        task_id = await task_of(caller.client, "trigger_run", tracker_id=TESLA, context=lasting(60))
        changed = "B" if task_id[-20] == "A" else "A"
        for forged in ("", "task", "v1.AAAA", "ä", task_id[:-1], f"{task_id[:-20]}{changed}{task_id[-19:]}"):
            for request in (get, cancel, update):
                with pytest.raises(MCPError) as error:
                    await request(session, forged)
                assert error.value.code == -32602


async def test_a_question_is_no_task_and_a_task_no_question() -> None:
    sandbox = Sandbox()
    async with connected(sandbox, user=Questions(), extensions=DECLARING, state_keys=KEYS) as caller:
        session = caller.client.session
        question: Any = await session.call_tool(
            "trigger_run", {"tracker_id": PORTFOLIO}, allow_input_required=True, allow_claimed=True
        )
        assert await refused(session, question.request_state) == -32602
        task_id = await task_of(caller.client, "trigger_run", tracker_id=TESLA, context=lasting(60))
        with pytest.raises(MCPError):
            await session.call_tool(
                "trigger_run", {"tracker_id": PORTFOLIO}, request_state=task_id, allow_input_required=True
            )
        assert caller.posts == 1


async def test_another_accounts_task_is_no_task() -> None:
    sandbox = Sandbox(tokens=(ANN, BEN))
    async with connected(sandbox, token=ANN, extensions=DECLARING, state_keys=KEYS) as caller:
        task_id = await task_of(caller.client, "trigger_run", tracker_id=TESLA, context=lasting(60))
        assert (await get(caller.client.session, task_id))["status"] == "working"
    for token in (BEN, None):
        async with connected(sandbox, token=token, extensions=DECLARING, state_keys=KEYS) as caller:
            assert await refused(caller.client.session, task_id) == -32602


async def test_a_task_is_kept_for_a_day_and_not_longer() -> None:
    async with connected(Sandbox(), extensions=DECLARING) as caller:
        task_id = await task_of(caller.client, "trigger_run", tracker_id=TESLA, context=lasting(60))
        await anyio.sleep(86_300)
        assert told(await get(caller.client.session, task_id))["structuredContent"]["status"] == "completed"
        await anyio.sleep(200)
        assert await refused(caller.client.session, task_id) == -32602


async def test_another_process_serves_a_wait_with_the_same_keys_and_no_memory() -> None:
    sandbox, following = Sandbox(time_scale=1), Following()
    run_id = sandbox.begin_run(TESLA)["run_id"]
    async with connected(sandbox, extensions=DECLARING, state_keys=KEYS) as caller:
        task_id = await task_of(caller.client, "wait_for_run", tracker_id=TESLA, run_id=run_id)
    async with connected(sandbox, extensions=[following], state_keys=KEYS) as caller:
        answer = told(await following.follow(caller.client.session, task_id))["structuredContent"]
        assert (answer["run_id"], answer["status"]) == (run_id, "completed")
    async with connected(sandbox, extensions=DECLARING, state_keys=OTHER_KEYS) as caller:
        assert await refused(caller.client.session, task_id) == -32602


async def test_a_trigger_that_the_journal_does_not_know_is_no_task() -> None:
    sandbox = Sandbox()
    async with connected(sandbox, extensions=DECLARING, state_keys=KEYS) as caller:
        task_id = await task_of(caller.client, "trigger_run", tracker_id=TESLA, context=lasting(60))
    async with connected(sandbox, extensions=DECLARING, state_keys=KEYS) as caller:
        assert await refused(caller.client.session, task_id) == -32602


async def test_what_a_client_puts_in_the_servers_place_counts_for_nothing() -> None:
    class Params(CallToolRequestParams):
        detached: Json = Field(alias=DETACHED)

    call: Json = {"name": "trigger_run", "arguments": {"tracker_id": TESLA, "context": lasting(60)}}
    request = CallToolRequest(params=Params.model_validate({**call, DETACHED: {"scope": 1}}))
    async with connected(Sandbox(), extensions=[advertise("com.example/other")]) as caller:
        answer = await caller.client.session.send_request(request, CallToolResult)
        assert answer.structured_content["status"] in {"pending", "running"}
