"""Tasks whose trigger is lost or refused, or whose service is in trouble, and how often it is asked for them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import anyio
import pytest
from mcp_types import CallToolResult

from help.callers import EPOCH, connected, gather, text_of
from help.following import DECLARING, Following, get, lasting, task_of, told
from help.inside import POST
from help.seeded import TESLA
from quantinal_mcp.errors import Misconfigured
from quantinal_mcp.journal.records import Intent
from quantinal_mcp.journal.sqlite import SqliteJournal
from quantinal_mcp.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio


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


ONE = r"/runs/[^/]+$"


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


async def test_a_trigger_that_is_not_taken_at_first_is_sent_again_for_its_task() -> None:
    sandbox, following = Sandbox(), Following()
    sandbox.faults.add(Fault("POST", POST, "status", code=429, headers={"Retry-After": "8"}, body='{"detail": "Slow"}'))
    async with connected(sandbox, extensions=[following]) as caller:
        run = await caller.trigger(context=lasting(10, score=40))
        assert (run["status"], run["result"]["score"]) == ("completed", 40)
        assert following.told[0]["resultType"] == "task"
        assert (caller.posts, caller.created) == (2, 1)


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
        await anyio.sleep(130)
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
    assert not any("cannot be read" in task.get("statusMessage", "") for task in following.told)


async def test_a_run_that_was_deleted_ends_its_task_and_is_not_given_to_the_next_trigger() -> None:
    sandbox, following = Sandbox(), Following()
    async with connected(sandbox, extensions=[following]) as caller:
        task_id = await task_of(caller.client, "trigger_run", tracker_id=TESLA, context=lasting(900))
        await anyio.sleep(300)
        [run] = [run for run in sandbox.runs() if run["internal"]["origin"] == "api"]
        async with connected(sandbox) as other:
            await other.call("delete_run", tracker_id=TESLA, run_id=run["run_id"], confirm=True)
        result = told(await following.follow(caller.client.session, task_id))
        assert result["isError"]
        assert "was probably deleted" in result["content"][0]["text"]
        assert "again=true" in result["content"][0]["text"]
        for _ in range(3):
            await anyio.sleep(50)
            assert told(await get(caller.client.session, task_id))["isError"]
        assert (await caller.trigger(context=lasting(1)))["status"] == "completed"
        assert caller.posts == 2


async def test_a_task_that_waits_for_a_run_that_is_not_there_says_so_as_the_tool_does() -> None:
    sandbox, following = Sandbox(), Following()
    async with connected(sandbox, extensions=[following]) as caller:
        run = await caller.trigger(sync=False, wait_seconds=0, context=lasting(900))
        where = {"tracker_id": TESLA, "run_id": run["run_id"]}
        task_id = await task_of(caller.client, "wait_for_run", **where)
        sandbox.faults.add(NO_RUN)
        result = told(await following.follow(caller.client.session, task_id))
        assert result["content"][0]["text"] == await caller.fails("wait_for_run", "not_found", **where, wait_seconds=5)


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
