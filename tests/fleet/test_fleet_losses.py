"""Replicas and databases that are killed, suspended, restarted or gone: no trigger is lost, none is paid twice."""

from __future__ import annotations

import re
import signal
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from help.callers import gather
from help.eras import Mode, both_eras
from help.fleet import created, fleet, lasting, run_of, trackers, wire
from help.following import DECLARED
from help.over_http import POST_RUN, Wire, text_of, until
from help.postgres import PASSWORD, QUOTED, Postgres, postgres
from help.seeded import ANN, TESLA, TOKEN, Json
from quantinal_mcp.sandbox import Sandbox

pytestmark = [pytest.mark.anyio, pytest.mark.fleet, pytest.mark.timeout(180)]

UNSURE = re.compile(r"\[(outcome_unknown|already_running)\]")
"""What a trigger is told that was killed at a bad moment; it is to look and call again, and is then told more."""
AGAIN = re.compile(r"call again|Call again|try again")


@both_eras
async def test_a_trigger_whose_replica_is_killed_is_taken_over_by_another(
    server: Postgres, tmp_path: Path, mode: Mode
) -> None:
    sandbox = Sandbox(sync_limit=60)
    async with fleet(sandbox, server, tmp_path) as these:
        dies = await wire(these.replicas[0].url, mode)

        async def trigger() -> None:
            with suppress(httpx.HTTPError):
                await dies.call("trigger_run", sync=True, **lasting(20))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(trigger)
            await until(lambda: len(created(sandbox)) == 1)
            await these.replicas[0].end(kill=True)
        with anyio.fail_after(60):
            again = await wire(these.url, mode)
            result = await again.call("trigger_run", sync=True, wait_seconds=50, **lasting(20))
    assert run_of(result) == created(sandbox)[0]
    assert result["structuredContent"]["status"] == "completed"
    assert sandbox.count(*POST_RUN) == 1


async def test_a_replica_that_was_suspended_and_comes_back_has_been_stood_in_for(
    server: Postgres, tmp_path: Path
) -> None:
    sandbox = Sandbox(sync_limit=60)
    async with fleet(sandbox, server, tmp_path, size=2) as these:
        away, other = these.replicas
        results: list[Json] = []
        told: Json = {}

        async def trigger() -> None:
            results.append(await Wire(away.url, TOKEN).call("trigger_run", sync=True, wait_seconds=60, **lasting(8)))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(trigger)
            await until(lambda: len(created(sandbox)) == 1)
            assert away.running is not None
            away.running.send_signal(signal.SIGSTOP)
            told |= await Wire(other.url, TOKEN).call("trigger_run", sync=True, wait_seconds=50, **lasting(8))
            away.running.send_signal(signal.SIGCONT)
        assert run_of(told) == run_of(results[0]) == created(sandbox)[0]
        assert told["structuredContent"]["status"] == "completed"
        await away.until_ready()
        again = await Wire(away.url, TOKEN).call("trigger_run", again=True, **lasting(1))
    assert run_of(again) == created(sandbox)[1]
    assert sandbox.count(*POST_RUN) == 2


async def test_a_task_whose_replica_is_killed_is_served_by_the_others(server: Postgres, tmp_path: Path) -> None:
    sandbox = Sandbox()
    async with fleet(sandbox, server, tmp_path) as these:
        asks = Wire(these.replicas[1].url, TOKEN, capabilities=DECLARED)
        task = await asks.call("trigger_run", **lasting(15))
        assert task["resultType"] == "task"
        await these.replicas[1].end(kill=True)
        get = {"taskId": task["taskId"]}
        follows = Wire(these.url, TOKEN, capabilities=DECLARED)
        with anyio.fail_after(60):
            while task.get("status", "working") == "working":
                await anyio.sleep(1)
                task = (await follows.send("tasks/get", get)).json()["result"]
    assert task["status"] == "completed"
    assert task["result"]["structuredContent"]["run_id"] == created(sandbox)[0]
    assert task["result"]["structuredContent"]["cost"]["charged_quants"] == 0.02
    assert sandbox.count(*POST_RUN) == 1


class Customer:
    """A client that does what it is told: it repeats what it is told to call again, and nothing else."""

    def __init__(self, url: str, mode: Mode) -> None:
        self._url = url
        self._mode: Mode = mode
        self._wire: Wire | None = None
        self.repeats = 0

    async def call(self, tool: str, **arguments: Any) -> Json:
        for _ in range(40):
            try:
                self._wire = self._wire or await wire(self._url, self._mode, ANN)
                response = await self._wire.send("tools/call", {"name": tool, "arguments": arguments})
            except (httpx.TransportError, AssertionError):  # no answer, or a session that could not be opened
                self._wire = None
            else:
                result = self._result(response)
                if result is not None:
                    return result
            self.repeats += 1
            await anyio.sleep(0.25)
        raise AssertionError("it was never served")

    def _result(self, response: httpx.Response) -> Json | None:
        if response.status_code == 404:
            self._wire = None
        if response.status_code != 200:
            assert response.status_code in {404, 429, 502, 503, 504}, response.text
            return None
        data = [line.removeprefix("data: ") for line in response.text.splitlines() if line.startswith("data: {")]
        message = httpx.Response(200, text=data[-1]).json() if data else response.json()
        if "error" in message:
            assert AGAIN.search(message["error"]["message"]), message
            return None
        return message["result"]


@both_eras
@pytest.mark.parametrize("is_killed", [False, True], ids=["restarted", "killed"])
async def test_replicas_that_go_one_after_another_under_load_lose_no_call_and_pay_nothing_twice(
    server: Postgres, tmp_path: Path, mode: Mode, is_killed: bool
) -> None:
    sandbox = Sandbox(tokens=(ANN,), rate_limits=False)
    left = await trackers(sandbox, ANN, 120)
    told: dict[str, str] = {}
    reads = 0
    async with fleet(sandbox, server, tmp_path) as these:
        is_over = False

        async def work() -> None:
            nonlocal reads
            customer = Customer(these.url, mode)
            while not is_over or reads < 20:
                assert not (await customer.call("list_spaces"))["isError"]
                reads += 1
                if left:
                    tracker_id = left.pop()
                    steer = {"sandbox": {"seconds": 1, "fail": False}}
                    trigger = partial(customer.call, "trigger_run", tracker_id=tracker_id, sync=True, context=steer)
                    result = await trigger()
                    while is_killed and result["isError"] and UNSURE.match(text_of(result)):
                        await anyio.sleep(1)
                        result = await trigger()
                    told[tracker_id] = run_of(result)

        async def restart_all() -> None:
            nonlocal is_over
            for replica in these.replicas:
                await anyio.sleep(1)
                await replica.end(kill=is_killed)
                await anyio.sleep(0.5)
                await replica.start()
                await replica.until_ready()
            is_over = True

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(restart_all)
            for _ in range(6):
                tasks.start_soon(work)
    assert len(told) > 10
    assert sorted(told.values()) == sorted(created(sandbox, ANN))
    assert sandbox.count(*POST_RUN) == len(told)


async def test_while_the_database_is_gone_nothing_is_sent_and_all_else_goes_on(tmp_path: Path) -> None:
    sandbox = Sandbox(tokens=(ANN,), sync_limit=60)
    (tracker_id, later) = await trackers(sandbox, ANN, 2)
    steer = {"sandbox": {"seconds": 7, "fail": False}}
    with postgres() as own:
        async with fleet(sandbox, own, tmp_path) as these:
            caller = Wire(these.url, ANN)
            results: list[Json] = []

            async def trigger() -> None:
                results.append(await caller.call("trigger_run", tracker_id=tracker_id, sync=True, context=steer))

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(trigger)
                await until(lambda: len(created(sandbox, ANN)) == 1)
                await anyio.to_thread.run_sync(own.stop)
                for _ in range(3):
                    with anyio.fail_after(5):
                        refused = await caller.call("trigger_run", tracker_id=later)
                    assert text_of(refused).startswith("[misconfigured]"), text_of(refused)
                    assert not (await caller.call("list_spaces"))["isError"]
                    assert not (await caller.call("list_runs", tracker_id=TESLA))["isError"]
                assert not await these.replicas[0].is_ready()
            (told,) = results
            assert run_of(told) == created(sandbox, ANN)[0]
            assert sandbox.count(*POST_RUN) == 1
            await anyio.to_thread.run_sync(own.start)
            for replica in these.replicas:
                await replica.until_ready()

            async def until_kept(condition: str) -> None:
                with anyio.fail_after(40):
                    while these.journal(f"SELECT FROM quantinal.intents WHERE NOT ({condition})"):  # noqa: ASYNC110
                        await anyio.sleep(0.2)

            await until_kept("state = 'known' AND answered_at IS NOT NULL AND owner IS NULL")
            assert len(these.journal("SELECT FROM quantinal.intents")) == 1
            with anyio.fail_after(10):
                result = await caller.call("trigger_run", tracker_id=later, sync=True, context=steer)
            assert result["structuredContent"]["status"] == "completed"

            await until_kept("state = 'known' AND settled_at IS NOT NULL AND charged > 0")
            assert len(these.journal("SELECT FROM quantinal.intents")) == 2
            said = "".join(replica.log.read_text() for replica in these.replicas)
            assert PASSWORD not in said
            assert QUOTED not in said
            assert ANN not in said


async def test_a_restart_of_the_database_within_a_trigger_is_not_noticed(tmp_path: Path) -> None:
    sandbox = Sandbox(tokens=(ANN,))
    many = await trackers(sandbox, ANN, 12)
    with postgres() as own:
        async with fleet(sandbox, own, tmp_path) as these:

            async def restart() -> str:
                await anyio.sleep(0.3)
                await anyio.to_thread.run_sync(own.stop)
                await anyio.to_thread.run_sync(own.start)
                return "restarted"

            async def trigger(tracker_id: str) -> str:
                customer = Customer(these.url, "auto")
                while True:
                    result = await customer.call("trigger_run", tracker_id=tracker_id)
                    if not result["isError"] or not text_of(result).startswith("[misconfigured]"):
                        return run_of(result)

            _, *runs = await gather(restart, *[lambda one=one: trigger(one) for one in many])
    assert sorted(runs) == sorted(created(sandbox, ANN))
    assert len(runs) == sandbox.count(*POST_RUN) == 12
