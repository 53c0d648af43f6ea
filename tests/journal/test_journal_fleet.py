"""Servers in processes of their own on one journal: what one promised, the others keep."""

from __future__ import annotations

import re
import stat
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from anyio.abc import Process

from help.callers import gather, tracker_of
from help.journals import names_in
from help.over_http import POST_RUN, Wire, process, text_of
from help.seeded import ANN, PORTFOLIO, TESLA, TOKEN, Json, tracker_body
from help.services import in_process
from quantinal_mcp.sandbox import Fault, Sandbox

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.timeout(300)]

ROUNDS = 50
ACCOUNTS = tuple(f"qapi_account-{number:04}-0123456789" for number in range(ROUNDS))


@asynccontextmanager
async def fleet(sandbox: Sandbox, journal: Path, size: int = 3, **settings: str) -> AsyncGenerator[list[Fleeting]]:
    """Servers of one user's clients, which share a journal."""
    async with AsyncExitStack() as stack:
        service = await stack.enter_async_context(sandbox.serve())
        environ = {"QUANTINAL_BASE_URL": service, "QUANTINAL_STATE": str(journal), **settings}
        yield [Fleeting(*(await stack.enter_async_context(process(**environ)))[:2]) for _ in range(size)]


class Fleeting:
    """One of them, which may be killed."""

    def __init__(self, server: Process, url: str) -> None:
        self._server = server
        self.url = url

    async def call(self, tool: str, token: str = TOKEN, **arguments: Any) -> Json:
        return await Wire(self.url, token).call(tool, **arguments)

    async def kill(self) -> None:
        self._server.kill()
        await self._server.wait()


def created(sandbox: Sandbox, token: str | None = None) -> list[str]:
    return [run["run_id"] for run in sandbox.runs(token) if run["internal"]["origin"] == "api"]


async def a_tracker(sandbox: Sandbox, token: str) -> str:
    """A new tracker of that account, whose run is estimated at 0.012 quants."""
    async with in_process(sandbox, token) as service:
        space = (await service.get("/api/spaces")).json()["data"][0]["space_id"]
        made = await service.post(f"/api/spaces/{space}/trackers", json=tracker_body())
    return made.json()["tracker_id"]


def run_of(result: Json) -> str:
    assert not result["isError"], text_of(result)
    return result["structuredContent"]["run_id"]


async def test_a_budget_is_never_overrun_in_fifty_races(tmp_path: Path) -> None:
    sandbox = Sandbox(tokens=ACCOUNTS, rate_limits=False)
    async with fleet(sandbox, tmp_path / "journal.db", QUANTINAL_BUDGET_QUANTS="0.03/day") as servers:
        for token in ACCOUNTS:
            trackers = [await a_tracker(sandbox, token) for _ in servers]
            results = await gather(
                *[
                    lambda token=token, server=server, tracker_id=tracker_id: server.call(
                        "trigger_run", token, tracker_id=tracker_id
                    )
                    for server, tracker_id in zip(servers, trackers, strict=True)
                ]
            )
            (refused,) = [text_of(result) for result in results if result["isError"]]
            assert re.match(r"\[over_budget\] 0\.012 quants .* 0\.006 of the budget of 0\.03/day are left", refused)
            assert len(created(sandbox, token)) == 2


async def test_equal_calls_of_three_processes_at_once_are_one_run(tmp_path: Path) -> None:
    sandbox = Sandbox()
    async with fleet(sandbox, tmp_path / "journal.db") as servers:
        results = await gather(*[lambda one=one: one.call("trigger_run", tracker_id=TESLA) for one in servers])
    assert {run_of(result) for result in results} == set(created(sandbox))
    assert len(created(sandbox)) == 1


@pytest.mark.parametrize("sync", [True, False])
async def test_of_runs_whose_answers_were_lost_at_once_each_process_is_told_its_own(tmp_path: Path, sync: bool) -> None:
    sandbox = Sandbox(listing_delay=1)
    sandbox.faults.add(Fault(*POST_RUN, "drop_after", times=3))
    steer = {"sandbox": {"seconds": 2, "fail": False}}
    async with fleet(sandbox, tmp_path / "journal.db") as servers:
        results = await gather(
            *[
                lambda one=one: one.call("trigger_run", tracker_id=TESLA, again=True, sync=sync, context=steer)
                for one in servers
            ]
        )
    assert sorted(run_of(result) for result in results) == sorted(created(sandbox))
    assert len(created(sandbox)) == 3


async def test_after_a_death_each_trigger_goes_to_exactly_one_of_those_who_repeat(tmp_path: Path) -> None:
    sandbox = Sandbox(sync_limit=60)
    steer = {"sandbox": {"seconds": 8, "fail": False}}
    async with fleet(sandbox, tmp_path / "journal.db") as (dies, *others):

        async def trigger() -> None:
            with suppress(httpx.HTTPError):
                await dies.call("trigger_run", tracker_id=TESLA, again=True, sync=True, context=steer)

        async with anyio.create_task_group() as tasks:
            for _ in others:
                tasks.start_soon(trigger)
            with anyio.fail_after(30):
                while sandbox.count(*POST_RUN) < len(others):  # noqa: ASYNC110 - in another process
                    await anyio.sleep(0.05)
            await dies.kill()
        results = await gather(*[lambda one=one: one.call("trigger_run", tracker_id=TESLA) for one in others])
    assert sorted(run_of(result) for result in results) == sorted(created(sandbox))
    assert sandbox.count(*POST_RUN) == len(others)


async def test_partial_updates_from_two_processes_at_once_lose_none(tmp_path: Path) -> None:
    sandbox = Sandbox()
    async with fleet(sandbox, tmp_path / "journal.db", size=2) as (one, other):
        for number in range(15):
            changes = ({"instruction": f"Read {number}."}, {"score_meaning": f"Mood {number}"})
            results = await gather(
                lambda changes=changes: one.call("update_tracker", tracker_id=TESLA, agent_config=changes[0]),
                lambda changes=changes: other.call("update_tracker", tracker_id=TESLA, agent_config=changes[1]),
            )
            assert [result["isError"] for result in results] == [False, False]
            config = tracker_of(sandbox).agent_config
            assert (config["instruction"], config["score_meaning"]) == (f"Read {number}.", f"Mood {number}")


def answered(question: Json) -> Json:
    """What a client adds to its call when the user has said yes."""
    (name,) = question["inputRequests"]
    yes = {name: {"action": "accept", "content": {"confirm": True}}}
    return {"requestState": question["requestState"], "inputResponses": yes}


async def test_one_yes_pays_once_whichever_processes_it_reaches(tmp_path: Path) -> None:
    sandbox = Sandbox(tokens=(ANN,))
    call: Json = {"tracker_id": PORTFOLIO, "again": True}
    async with fleet(sandbox, tmp_path / "journal.db") as servers:
        question = await servers[0].call("trigger_run", ANN, **call)
        results = await gather(
            *[
                lambda one=one: Wire(one.url, ANN).call("trigger_run", more=answered(question), **call)
                for one in servers
            ]
        )
    assert sorted(result["isError"] for result in results) == [False, True, True]
    assert len(created(sandbox)) == 1
    for result in results:
        assert not result["isError"] or text_of(result).startswith("[needs_consent] This answer was already used")


async def test_a_question_outlives_its_server_and_its_answer_is_spent_once_all_the_same(tmp_path: Path) -> None:
    sandbox = Sandbox(tokens=(ANN,))
    call: Json = {"tracker_id": PORTFOLIO, "again": True}
    journal = tmp_path / "journal.db"
    async with fleet(sandbox, journal, size=1) as (asks,):
        question = await asks.call("trigger_run", ANN, **call)
        await asks.kill()
    for is_used in (False, True):
        async with fleet(sandbox, journal, size=1) as (answers,):
            result = await Wire(answers.url, ANN).call("trigger_run", more=answered(question), **call)
            assert result["isError"] is is_used
    assert len(created(sandbox)) == 1
    assert names_in(tmp_path) >= {"journal.db", "journal.db.key", "journal.db.workers"}
    assert stat.S_IMODE((tmp_path / "journal.db.key").stat().st_mode) == 0o600
