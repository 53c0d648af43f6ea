"""Runs as tasks: what a client that declares them sees, from the call to the score."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import anyio
import pytest
from mcp.client.extension import advertise
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolRequest, CallToolRequestParams, CallToolResult
from pydantic import Field

from help.callers import EPOCH, Questions, connected, gather, text_of
from help.following import Following, begin, cancel, get, task_of, update
from help.seeded import ANN, BEN, PORTFOLIO, RUN, TESLA, Json
from quantinal_mcp.errors import Misconfigured
from quantinal_mcp.extensions.tasks import IDENTIFIER
from quantinal_mcp.journal.records import Intent
from quantinal_mcp.journal.sqlite import SqliteJournal
from quantinal_mcp.protocol.detached import DETACHED
from quantinal_mcp.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio

KEYS = ("first-key-of-thirty-two-bytes-or-more",)
OTHER_KEYS = ("other-key-of-thirty-two-bytes-or-more",)
POST = r"/runs$"
ONE = r"/runs/[^/]+$"
DECLARING = (Following(),)


def lasting(seconds: float, **how: Any) -> Json:
    """Steers how long a run takes, and how it ends."""
    return {"sandbox": {"seconds": seconds, "fail": False, **how}}


def told(task: Json) -> Json:
    """The answer that a completed task carries."""
    assert task["status"] == "completed"
    return task["result"]


async def refused(session: Any, task_id: str) -> int:
    with pytest.raises(MCPError) as error:
        await get(session, task_id)
    return error.value.code


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


async def test_a_trigger_whose_answer_is_lost_is_found_by_its_task() -> None:
    sandbox, following = Sandbox(listing_delay=8), Following()
    sandbox.faults.add(Fault("POST", POST, "drop_after"))
    async with connected(sandbox, extensions=[following]) as caller:
        run = await caller.trigger(context=lasting(30))
        assert (run["status"], run["delivery"]["match"], caller.posts) == ("completed", "likely", 1)
        assert "looking for the run" in following.told[1]["statusMessage"]


async def test_a_trigger_that_is_not_answered_in_a_moment_is_a_task_at_once() -> None:
    sandbox, following = Sandbox(), Following()
    sandbox.faults.add(Fault("POST", POST, "hang_after", seconds=8))
    async with connected(sandbox, extensions=[following]) as caller:
        begun = anyio.current_time()
        task_id = await task_of(caller.client, "trigger_run", tracker_id=TESLA, context=lasting(30))
        assert anyio.current_time() - begun < 4
        answer = told(await following.follow(caller.client.session, task_id))
        assert answer["structuredContent"]["status"] == "completed"
        assert "match" not in answer["structuredContent"]["delivery"]
        assert caller.posts == 1


async def test_a_trigger_that_was_never_executed_ends_as_outcome_unknown() -> None:
    sandbox, following = Sandbox(), Following()
    sandbox.faults.add(Fault("POST", POST, "drop_before"))
    async with connected(sandbox, extensions=[following]) as caller:
        text = await caller.fails("trigger_run", "outcome_unknown", tracker_id=TESLA)
        assert "was lost" in text
        assert caller.posts == 1
        sandbox.faults.clear()
        assert (await caller.trigger(context=lasting(1)))["status"] == "completed"
        assert caller.posts == 2


async def test_a_trigger_that_is_refused_late_ends_with_that() -> None:
    sandbox, following = Sandbox(balance=0), Following()
    sandbox.faults.add(Fault("POST", POST, "hang_before", seconds=5))
    async with connected(sandbox, extensions=[following]) as caller:
        task_id = await task_of(caller.client, "trigger_run", tracker_id=TESLA)
        ended = await following.follow(caller.client.session, task_id)
        assert ended["status"] == "completed"
        assert ended["result"]["content"][0]["text"].startswith("[insufficient_quants] ")


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (404, '{"detail": "Tracker not found"}', "Nothing was started."),
        (422, '{"detail": [{"loc": ["body", "mode"], "msg": "Input should be a valid string"}]}', "should be a string"),
    ],
)
async def test_a_task_that_is_refused_is_told_in_the_words_of_a_call(status: int, body: str, said: str) -> None:
    sandbox, following = Sandbox(), Following()
    slow = Fault("POST", POST, "status", code=429, headers={"Retry-After": "8"}, body='{"detail": "Slow"}')
    refusing = Fault("POST", POST, "status", code=status, body=body, times=None)
    sandbox.faults.add(slow, refusing)
    async with connected(sandbox, extensions=[following]) as caller:
        task_id = await task_of(caller.client, "trigger_run", tracker_id=TESLA)
        assert said in told(await following.follow(caller.client.session, task_id))["content"][0]["text"]
        assert said in await caller.error("trigger_run", tracker_id=TESLA, wait_seconds=5)


class Ailing(SqliteJournal):
    """A journal that takes its time to write a refusal down, and that cannot be read while it is broken."""

    takes: float = 0
    is_broken = False

    async def move(self, intent_id: str, **changes: float | str | None) -> bool:
        if changes.get("state") == "refused":
            await anyio.sleep(self.takes)
        return await super().move(intent_id, **changes)

    async def get(self, intent_id: str) -> Intent | None:
        if self.is_broken:
            raise Misconfigured("The journal cannot be used.")
        return await super().get(intent_id)


async def test_a_refused_task_says_why_though_that_is_not_written_down_yet() -> None:
    sandbox, journal = Sandbox(balance=0), Ailing(now=lambda: EPOCH + anyio.current_time())
    sandbox.faults.add(Fault("POST", POST, "hang_before", seconds=5))
    journal.takes = 60
    async with connected(sandbox, extensions=DECLARING, journal=journal) as caller:
        task_id = await task_of(caller.client, "trigger_run", tracker_id=TESLA)
        await anyio.sleep(5)
        answer = told(await get(caller.client.session, task_id))
        assert answer["content"][0]["text"].startswith("[insufficient_quants] ")


async def test_a_task_whose_trigger_the_journal_kept_from_being_sent_again_does_not_go_on_for_ever() -> None:
    sandbox, journal = Sandbox(), Ailing(now=lambda: EPOCH + anyio.current_time())
    sandbox.faults.add(Fault("POST", POST, "status", code=429, headers={"Retry-After": "4"}, body='{"detail": "Slow"}'))
    async with connected(sandbox, extensions=DECLARING, journal=journal) as caller:
        session, task_id = caller.client.session, await task_of(caller.client, "trigger_run", tracker_id=TESLA)
        journal.is_broken = True
        await anyio.sleep(3)
        assert (await get(session, task_id))["status"] == "working"
        journal.is_broken = False
        assert told(await get(session, task_id))["content"][0]["text"].startswith("[misconfigured] ")
        assert (caller.posts, caller.created) == (1, 0)


async def test_a_trigger_that_is_not_taken_at_first_is_sent_again_for_its_task() -> None:
    sandbox, following = Sandbox(), Following()
    sandbox.faults.add(Fault("POST", POST, "status", code=429, headers={"Retry-After": "8"}, body='{"detail": "Slow"}'))
    async with connected(sandbox, extensions=[following]) as caller:
        run = await caller.trigger(context=lasting(10, score=40))
        assert (run["status"], run["result"]["score"]) == ("completed", 40)
        assert following.told[0]["resultType"] == "task"
        assert (caller.posts, caller.created) == (2, 1)


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


@pytest.mark.patient
@pytest.mark.parametrize(
    "fault",
    [
        Fault("GET", ONE, "status", code=429, times=20, headers={"Retry-After": "20"}),
        Fault("GET", ONE, "status", code=503, times=20),
        Fault("GET", ONE, "drop_before", times=20),
        Fault("GET", ONE, "hang_before", seconds=60, times=3),
    ],
    ids=["429", "503", "dropped", "hanging"],
)
async def test_trouble_upstream_is_working_with_a_longer_interval(fault: Fault) -> None:
    sandbox, following = Sandbox(rate_limits=False), Following()
    async with connected(sandbox, extensions=[following]) as caller:
        session = caller.client.session
        task_id = await task_of(caller.client, "trigger_run", tracker_id=TESLA, context=lasting(300))
        before = await get(session, task_id)
        await anyio.sleep(30)
        sandbox.faults.add(fault)
        asked = anyio.current_time()
        troubled = await get(session, task_id)
        assert anyio.current_time() - asked <= 10
        assert troubled["status"] == "working"
        assert "cannot be read just now" in troubled["statusMessage"]
        assert before["pollIntervalMs"] < 10_000 <= troubled["pollIntervalMs"] <= 30_000
        assert datetime.fromisoformat(troubled["lastUpdatedAt"]) < datetime.fromisoformat(
            before["lastUpdatedAt"]
        ) + timedelta(seconds=1)
        sandbox.faults.clear()
        await anyio.sleep(troubled["pollIntervalMs"] / 1000)
        mended = await get(session, task_id)
        assert "cannot be read" not in mended["statusMessage"]
        assert datetime.fromisoformat(mended["lastUpdatedAt"]) - datetime.fromisoformat(
            troubled["lastUpdatedAt"]
        ) > timedelta(seconds=30)
        assert told(await following.follow(session, task_id))["structuredContent"]["status"] == "completed"


@pytest.mark.parametrize(("status", "code"), [(401, "unauthorized"), (404, "not_found")])
async def test_a_lasting_trouble_completes_the_task_with_its_error(status: int, code: str) -> None:
    sandbox = Sandbox()
    async with connected(sandbox, extensions=DECLARING) as caller:
        task_id = await task_of(caller.client, "trigger_run", tracker_id=TESLA, context=lasting(300))
        await anyio.sleep(30)
        sandbox.faults.add(Fault("GET", ONE, "status", code=status, times=None))
        result = CallToolResult.model_validate(told(await get(caller.client.session, task_id)))
        assert result.is_error
        assert text_of(result).startswith(f"[{code}] ")


NO_RUN = Fault("GET", ONE, "status", code=404, times=None, body='{"detail": "Run not found"}')


async def test_a_new_run_that_the_service_does_not_show_yet_is_no_end_of_its_task() -> None:
    sandbox, following = Sandbox(), Following()
    async with connected(sandbox, extensions=[following]) as caller:
        sandbox.faults.add(replace(NO_RUN, times=3))
        task_id = await task_of(caller.client, "trigger_run", tracker_id=TESLA, context=lasting(60, score=40))
        run = told(await following.follow(caller.client.session, task_id))["structuredContent"]
    assert (run["status"], run["result"]["score"], caller.posts) == ("completed", 40, 1)


async def test_a_run_that_was_deleted_ends_its_task_and_is_not_given_to_the_next_trigger() -> None:
    sandbox, following = Sandbox(), Following()
    async with connected(sandbox, extensions=[following]) as caller:
        task_id = await task_of(caller.client, "trigger_run", tracker_id=TESLA, context=lasting(900))
        await anyio.sleep(300)
        sandbox.faults.add(NO_RUN)
        result = told(await following.follow(caller.client.session, task_id))
        assert result["isError"]
        assert "was probably deleted" in result["content"][0]["text"]
        assert "again=true" in result["content"][0]["text"]
        sandbox.faults.clear()
        assert (await caller.trigger(again=True, context=lasting(1)))["status"] == "completed"
        assert caller.posts == 2


async def test_many_polls_of_one_run_share_a_request() -> None:
    sandbox = Sandbox()
    async with connected(sandbox, extensions=DECLARING) as caller:
        session = caller.client.session
        task_id = await task_of(caller.client, "trigger_run", tracker_id=TESLA, context=lasting(300))
        await anyio.sleep(60)
        before = sandbox.count("GET", ONE)
        for _ in range(5):
            await gather(*[lambda: get(session, task_id)] * 10)
        assert sandbox.count("GET", ONE) - before == 1


async def test_many_polls_of_one_lost_trigger_share_a_list() -> None:
    sandbox = Sandbox(listing_delay=1000)
    sandbox.faults.add(Fault("POST", POST, "drop_after"))
    async with connected(sandbox, extensions=DECLARING) as caller:
        session = caller.client.session
        task_id = await task_of(caller.client, "trigger_run", tracker_id=TESLA, context=lasting(300))
        await anyio.sleep(10)
        assert "looking for the run" in (await get(session, task_id))["statusMessage"]
        before = sandbox.count("GET", POST)
        for _ in range(5):
            await gather(*[lambda: get(session, task_id)] * 10)
        assert sandbox.count("GET", POST) == before


async def test_a_forty_minute_run_takes_less_than_a_hundred_requests() -> None:
    sandbox, following = Sandbox(), Following()
    async with connected(sandbox, extensions=[following]) as caller:
        await caller.trigger(context=lasting(2400))
        assert len(sandbox.requests) < 100
        assert len(following.told) < 150


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
