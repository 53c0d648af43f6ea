"""Runs as tasks: what a client that declares them sees, from the call to the score."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import anyio
import pytest
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolResult

from help.callers import Questions, connected, gather
from help.following import DECLARING, Following, begin, cancel, get, lasting, task_of, told, update
from help.inside import POST
from help.seeded import PORTFOLIO, RUN, TESLA
from quantinal_mcp.extensions.tasks import IDENTIFIER
from quantinal_mcp.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio


async def test_a_long_run_becomes_a_task_that_carries_its_score() -> None:
    sandbox, following = Sandbox(), Following()
    async with connected(sandbox, extensions=[following]) as caller:
        result = await caller.result("trigger_run", tracker_id=TESLA, context=lasting(60, score=40))
    run: Any = result.structured_content
    assert (run["status"], run["result"]["score"]) == ("completed", 40)
    assert run["delivery"]["mode"] == "async_then_polling"
    assert run["cost"]["charged_quants"] == 0.02
    assert run["cost"]["estimated_quants"] > 0
    created, *going, ended = following.told
    assert created["resultType"] == "task"
    assert "result" not in created
    assert len(going) > 3
    for task in (created, *going):
        assert task["status"] == "working"
        assert 2000 <= task["pollIntervalMs"] <= 30_000
        assert task["ttlMs"] == 86_400_000
        assert "goes on, and is charged" in task["statusMessage"]
    assert "usually take about" in going[-1]["statusMessage"]
    assert {task["taskId"] for task in following.told} == {created["taskId"]}
    assert {task["createdAt"] for task in following.told} == {created["createdAt"]}
    assert datetime.fromisoformat(created["createdAt"]) <= datetime.fromisoformat(ended["lastUpdatedAt"])
    assert all(task["resultType"] == "complete" for task in (*going, ended))
    assert re.fullmatch(r"[!-~]{1,600}", created["taskId"])
    assert (caller.posts, caller.created) == (1, 1)
    assert not sandbox.runs()[-1]["config_snapshot"]["sync"]


async def test_it_answers_what_the_tool_would_have_answered() -> None:
    async with connected(Sandbox(), extensions=[Following()]) as caller:
        followed = await caller.trigger(context=lasting(20, score=40))
    async with connected(Sandbox(sync_limit=100)) as caller:
        held = await caller.trigger(sync=True, context=lasting(20, score=40))
    for answer in (followed, held):
        answer.pop("run_id")
        answer["next_step"] = answer["next_step"].partition("(")[0]
        for varying in ("started_at", "created_at", "completed_at", "execution_time_seconds", "delivery"):
            answer.pop(varying, None)
    assert followed == held


async def test_a_run_that_ends_in_a_moment_is_answered_plainly() -> None:
    sandbox = Sandbox(pending_seconds=0)
    async with connected(sandbox, extensions=DECLARING) as caller:
        answer = await begin(caller.client, "trigger_run", tracker_id=TESLA, context=lasting(1))
        assert isinstance(answer, CallToolResult)
        assert answer.structured_content["status"] == "completed"
        waited = await begin(caller.client, "wait_for_run", tracker_id=TESLA, run_id=RUN)
        assert isinstance(waited, CallToolResult)


async def test_a_call_that_says_how_long_it_waits_is_answered_plainly() -> None:
    async with connected(Sandbox(), extensions=DECLARING) as caller:
        answer = await begin(
            caller.client, "trigger_run", tracker_id=TESLA, sync=True, wait_seconds=5, context=lasting(60)
        )
        assert isinstance(answer, CallToolResult)
        run: Any = answer.structured_content
        assert run["status"] == "running"
        waited = await begin(caller.client, "wait_for_run", tracker_id=TESLA, run_id=run["run_id"], wait_seconds=4)
        assert isinstance(waited, CallToolResult)
        assert waited.structured_content["status"] == "running"


@pytest.mark.parametrize("wait_seconds", [0.5, 45])
async def test_waiting_for_a_run_is_a_task_too(wait_seconds: float) -> None:
    following = Following()
    async with connected(Sandbox(), extensions=[following], wait_seconds=wait_seconds) as caller:
        triggered = await begin(
            caller.client, "trigger_run", tracker_id=TESLA, sync=True, wait_seconds=1, context=lasting(60)
        )
        assert isinstance(triggered, CallToolResult)
        run_id = triggered.structured_content["run_id"]
        waited = await caller("wait_for_run", tracker_id=TESLA, run_id=run_id)
    assert (waited["run_id"], waited["status"]) == (run_id, "completed")
    assert following.told[0]["resultType"] == "task"
    assert "delivery" not in waited


async def test_other_tools_and_errors_are_answered_plainly() -> None:
    sandbox = Sandbox()
    async with connected(sandbox, extensions=DECLARING) as caller:
        sandbox.faults.add(Fault("GET", r"/spaces$", "hang_before", seconds=5))
        assert isinstance(await begin(caller.client, "list_spaces"), CallToolResult)
        await caller.fails("wait_for_run", "not_found", tracker_id=TESLA, run_id=RUN[:-1] + "0")
        sandbox.faults.add(Fault("POST", POST, "status", code=402))
        await caller.fails("trigger_run", "insufficient_quants", tracker_id=TESLA)


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_a_client_that_does_not_declare_tasks_gets_none(mode: str) -> None:
    extensions = DECLARING if mode == "legacy" else ()
    async with connected(Sandbox(), mode, extensions=extensions) as caller:
        answer = await begin(caller.client, "trigger_run", tracker_id=TESLA, context=lasting(60))
        assert isinstance(answer, CallToolResult)
        assert answer.structured_content["status"] in {"pending", "running"}
        with pytest.raises(MCPError) as error:
            await get(caller.client.session, "any")
    if mode == "legacy":
        assert error.value.code == -32601
    else:
        assert error.value.code == -32021
        assert error.value.error.data == {"requiredCapabilities": {"extensions": {IDENTIFIER: {}}}}


async def test_the_server_says_that_it_has_tasks() -> None:
    async with connected(Sandbox()) as caller:
        assert IDENTIFIER in (caller.client.server_capabilities.extensions or {})


async def test_consent_comes_before_the_task() -> None:
    sandbox, following, user = Sandbox(), Following(), Questions()
    user.before_answering = lambda: following.told.append({"status": "asked"})
    async with connected(sandbox, user=user, extensions=[following]) as caller:
        run = await caller("trigger_run", tracker_id=PORTFOLIO, context=lasting(60))
    assert run["status"] == "completed"
    assert [task["status"] for task in following.told[:2]] == ["asked", "working"]
    assert len(user.asked) == 1
    refusing = Questions("decline")
    async with connected(sandbox, user=refusing, extensions=[Following()]) as caller:
        await caller.fails("trigger_run", "declined", tracker_id=PORTFOLIO, again=True)
        assert caller.posts == 1


async def test_a_failed_run_is_a_task_that_was_completed() -> None:
    async with connected(Sandbox(), extensions=[Following()]) as caller:
        run = await caller.trigger(context=lasting(20, fail=True))
    assert run["status"] == "failed"
    assert run["error_message"]


async def test_cancelling_is_acknowledged_and_changes_nothing() -> None:
    sandbox, following = Sandbox(), Following()
    async with connected(sandbox, extensions=[following]) as caller:
        session = caller.client.session
        task_id = await task_of(caller.client, "trigger_run", tracker_id=TESLA, context=lasting(60))
        for request in (cancel, update):
            acknowledged = await request(session, task_id)
            assert acknowledged.pop("_meta")
            assert acknowledged == {"resultType": "complete"}
        task = await get(session, task_id)
        assert task["status"] == "working"
        assert "goes on, and is charged, even if this task is cancelled" in task["statusMessage"]
        assert told(await following.follow(session, task_id))["structuredContent"]["status"] == "completed"
        assert (await cancel(session, task_id))["resultType"] == "complete"


async def test_a_repeat_follows_the_same_run() -> None:
    sandbox = Sandbox()
    async with connected(sandbox, extensions=DECLARING) as caller:
        tasks = await gather(
            *[lambda: task_of(caller.client, "trigger_run", tracker_id=TESLA, context=lasting(60))] * 3
        )
        tasks.append(await task_of(caller.client, "trigger_run", tracker_id=TESLA))
        await anyio.sleep(90)
        answers = [told(await get(caller.client.session, task))["structuredContent"] for task in tasks]
        assert len({answer["run_id"] for answer in answers}) == 1
        assert "earlier trigger_run" in answers[-1]["note"]
        assert (caller.posts, caller.created) == (1, 1)


async def test_a_run_whose_task_nobody_came_back_for_is_given_to_the_next_trigger() -> None:
    sandbox = Sandbox()
    async with connected(sandbox, extensions=DECLARING) as caller:
        await task_of(caller.client, "trigger_run", tracker_id=TESLA, context=lasting(60))
        await anyio.sleep(3600)
        assert "earlier trigger_run" in (await caller.trigger())["note"]
        assert caller.posts == 1


async def test_a_run_that_its_task_told_is_not_given_to_the_next_trigger() -> None:
    sandbox, following = Sandbox(), Following()
    async with connected(sandbox, extensions=[following]) as caller:
        first = await caller.trigger(context=lasting(60))
        await anyio.sleep(150)
        assert (await caller.trigger(context=lasting(1)))["run_id"] != first["run_id"]
        assert caller.posts == 2
