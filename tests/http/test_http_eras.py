"""Both protocol eras, through the SDK's client and raw: questions, cancelling, and closed connections."""

from __future__ import annotations

import asyncio
from typing import Any

import anyio
import pytest
from mcp.client.context import ClientRequestContext
from mcp_types import ElicitRequestParams, ElicitResult

from help.eras import Mode, both_eras
from help.over_http import LONG, POST_RUN, Wire, answer_in, connected, opened, plain, serving, until, wired
from help.seeded import ANN, PORTFOLIO, TESLA
from quantinal_mcp.sandbox import Sandbox

pytestmark = pytest.mark.anyio


async def assert_taken_over(sandbox: Sandbox, wire: Wire) -> None:
    """The next trigger sends nothing, and answers with the run of the one whose caller went away."""
    taken = (await wire.call("trigger_run", tracker_id=TESLA))["structuredContent"]
    assert taken["run_id"] == sandbox.runs(ANN)[-1]["run_id"]
    assert "earlier trigger_run" in taken["note"]
    assert sandbox.count(*POST_RUN) == 1


@both_eras
async def test_the_sdks_client_asks_its_user(sandbox: Sandbox, mode: Mode) -> None:
    questions: list[str] = []

    async def yes(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        questions.append(params.message)
        return ElicitResult(action="accept", content={"confirm": True})

    async with serving(sandbox) as served, connected(served, ANN, mode, yes) as client:
        result = await client.call_tool("trigger_run", {"tracker_id": PORTFOLIO})
    assert not result.is_error
    assert len(questions) == 1
    assert sandbox.count(*POST_RUN) == 1


@both_eras
async def test_progress_arrives_while_a_run_is_waited_for(sandbox: Sandbox, mode: Mode) -> None:
    told = anyio.Event()

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        assert total is None
        told.set()

    async with serving(sandbox) as served, connected(served, ANN, mode) as client:
        with anyio.fail_after(10):
            async with anyio.create_task_group() as tasks:

                async def trigger() -> None:
                    await client.call_tool("trigger_run", dict(LONG), progress_callback=on_progress)

                tasks.start_soon(trigger)
                await told.wait()
                tasks.cancel_scope.cancel()


@both_eras
async def test_a_call_that_the_sdks_client_cancels_is_taken_over_by_the_next(sandbox: Sandbox, mode: Mode) -> None:
    async with serving(sandbox) as served, connected(served, ANN, mode) as client:
        resting = 0
        async with anyio.create_task_group() as tasks:

            async def trigger() -> None:
                await client.call_tool("trigger_run", dict(LONG))

            tasks.start_soon(trigger)
            await until(lambda: sandbox.count(*POST_RUN) == 1)
            # In the handshake era a stream for the server's own messages stays open.
            resting = served.in_flight - 1
            tasks.cancel_scope.cancel()
        await until(lambda: served.in_flight <= resting)
        await assert_taken_over(sandbox, await wired(served, ANN, mode))


@both_eras
async def test_a_closed_connection_stops_the_wait_and_not_the_run(sandbox: Sandbox, mode: Mode) -> None:
    async with serving(sandbox) as served:
        wire = await wired(served, ANN, mode)
        async with wire.begun("trigger_run", **LONG):
            await until(lambda: sandbox.count(*POST_RUN) == 1)
        await until(lambda: served.in_flight == 0)
        await assert_taken_over(sandbox, wire)
        assert sandbox.runs(ANN)[-1]["status"] in {"pending", "running"}


@both_eras
async def test_a_connection_closed_while_polling_leaves_no_task_behind(sandbox: Sandbox, mode: Mode) -> None:
    async with serving(sandbox) as served:
        wire = await wired(served, ANN, mode)
        started = await wire.call("trigger_run", tracker_id=TESLA, context={"sandbox": {"seconds": 30}})
        run = {"tracker_id": TESLA, "run_id": started["structuredContent"]["run_id"]}
        resting = len(asyncio.all_tasks())
        async with wire.begun("wait_for_run", **run):
            await until(lambda: sandbox.count("GET", r"/runs/run_") == 1)
            assert len(asyncio.all_tasks()) > resting
        await until(lambda: len(asyncio.all_tasks()) <= resting)


async def test_a_cancelled_notification_ends_a_wait_of_the_handshake_era(sandbox: Sandbox) -> None:
    async with serving(sandbox) as served, plain() as http:
        wire = await opened(served.url, ANN)
        answers: list[Any] = []

        async def trigger() -> None:
            call = {"name": "trigger_run", "arguments": dict(LONG)}
            answers.append(answer_in(await http.send(wire.request(http, "tools/call", call, request_id=77))))

        with anyio.fail_after(10):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(trigger)
                await until(lambda: sandbox.count(*POST_RUN) == 1)
                await wire.notify("notifications/cancelled", {"requestId": 77})
        assert answers[0]["id"] == 77
        assert "cancelled" in answers[0]["error"]["message"].lower()
        await assert_taken_over(sandbox, wire)


async def test_the_end_of_one_connection_leaves_the_sessions_other_calls_alone() -> None:
    sandbox = Sandbox(tokens=(ANN,), sync_limit=5)
    async with serving(sandbox) as served:
        wire = await opened(served.url, ANN)
        done: list[Any] = []

        async def wait() -> None:
            context = {"sandbox": {"seconds": 0.5}}
            done.append(await wire.call("trigger_run", tracker_id=PORTFOLIO, sync=True, context=context, max_quants=1))

        with anyio.fail_after(15):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(wait)
                await until(lambda: sandbox.count(*POST_RUN) == 1)
                async with wire.begun("trigger_run", **LONG):
                    await until(lambda: sandbox.count(*POST_RUN) == 2)
        assert done[0]["structuredContent"]["status"] == "completed"


async def test_a_session_that_was_deleted_is_gone(sandbox: Sandbox) -> None:
    async with serving(sandbox) as served, plain() as http:
        wire = await opened(served.url, ANN)
        headers = wire.headers("ping", {})
        assert (await http.delete(f"{served.url}/mcp", headers=headers)).status_code == 200
        assert (await wire.send("tools/list", {})).status_code == 404


async def test_a_modern_request_needs_nothing_from_an_earlier_one(sandbox: Sandbox) -> None:
    async with serving(sandbox) as one, serving(sandbox) as other:
        for served in (one, other, one):
            response = await Wire(served.url, ANN).send("tools/call", {"name": "list_spaces", "arguments": {}})
            assert response.status_code == 200
            assert "mcp-session-id" not in response.headers


async def test_a_client_that_comes_back_for_events_gets_a_stream(sandbox: Sandbox) -> None:
    async with serving(sandbox) as served, plain() as http:
        wire = await opened(served.url, ANN)
        headers = {**wire.headers("ping", {}), "Last-Event-ID": "17"}
        async with http.stream("GET", f"{served.url}/mcp", headers=headers) as response:
            assert response.status_code == 200
            assert response.headers["content-type"].startswith("text/event-stream")


async def test_the_call_of_a_session_that_its_client_deletes_ends_with_an_error(sandbox: Sandbox) -> None:
    async with serving(sandbox) as served, plain() as http:
        wire = await opened(served.url, ANN)
        answers: list[Any] = []

        async def trigger() -> None:
            call = {"name": "trigger_run", "arguments": dict(LONG)}
            answers.append(answer_in(await http.send(wire.request(http, "tools/call", call, request_id=77))))

        with anyio.fail_after(10):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(trigger)
                await until(lambda: sandbox.count(*POST_RUN) == 1)
                async with plain() as other:
                    assert (await other.delete(f"{served.url}/mcp", headers=wire.headers("ping", {}))).is_success
        assert (answers[0]["id"], "error" in answers[0]) == (77, True)
