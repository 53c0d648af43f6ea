"""Servers in processes of their own: replicas behind one client, the stop, and what they say."""

from __future__ import annotations

import signal
import socket
import sys
from typing import Any

import anyio
import httpx
import pytest

from help.eras import Mode, both_eras
from help.over_http import LONG, POST_RUN, Wire, answer_in, opened, plain, process, serving, text_of, until
from help.seeded import ANN, BEN, PORTFOLIO, Json
from quantinal_mcp import __version__
from quantinal_mcp.sandbox import Sandbox

pytestmark = pytest.mark.anyio

KEYS = "first-key-of-thirty-two-bytes-or-more,second-key-of-thirty-two-bytes-or-more"


def answer_to(question: Json) -> Json:
    (name,) = question["inputRequests"]
    yes = {name: {"action": "accept", "content": {"confirm": True}}}
    call: Json = {"name": "trigger_run", "arguments": {"tracker_id": PORTFOLIO, "again": True}}
    return {**call, "requestState": question["requestState"], "inputResponses": yes}


async def test_replicas_that_share_keys_answer_each_others_questions(sandbox: Sandbox) -> None:
    async with sandbox.serve() as service:
        shared = {"QUANTINAL_BASE_URL": service, "QUANTINAL_STATE_KEYS": KEYS}
        rotated = {**shared, "QUANTINAL_STATE_KEYS": ",".join(reversed(KEYS.split(",")))}
        async with process(**shared) as (_, one, _), process(**rotated) as (_, other, _):
            replicas = [Wire(one, ANN), Wire(other, ANN)]
            for asking, answering in (replicas, replicas[::-1]):
                before = sandbox.count(*POST_RUN)
                question = await asking.call("trigger_run", tracker_id=PORTFOLIO, again=True)
                stolen = (await Wire(answering.url, BEN).send("tools/call", answer_to(question))).json()
                assert "error" in stolen
                assert sandbox.count(*POST_RUN) == before
                result = (await answering.send("tools/call", answer_to(question))).json()["result"]
                assert not result["isError"], text_of(result)
                assert sandbox.count(*POST_RUN) == before + 1


async def test_a_replica_without_the_key_refuses_the_answer(sandbox: Sandbox) -> None:
    async with serving(sandbox) as one, serving(sandbox, state_keys=tuple(KEYS.split(","))) as other:
        for asking, answering in ((one, other), (other, one)):
            question = await Wire(asking.url, ANN).call("trigger_run", tracker_id=PORTFOLIO, again=True)
            assert "error" in (await Wire(answering.url, ANN).send("tools/call", answer_to(question))).json()
    assert sandbox.count(*POST_RUN) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_stops_the_server_within_two_seconds_in_the_middle_of_waits(
    sandbox: Sandbox, number: signal.Signals
) -> None:
    ends: list[Any] = []

    async def wait(wire: Wire) -> None:
        try:
            ends.append((await wire.send("tools/call", {"name": "trigger_run", "arguments": dict(LONG)})).status_code)
        except httpx.HTTPError as error:
            ends.append(error)

    async def listen(wire: Wire) -> None:
        async with plain() as http, http.stream("GET", f"{wire.url}/mcp", headers=wire.headers("ping", {})) as stream:
            ends.append(stream.status_code)
            await stream.aread()

    async with sandbox.serve() as service, process(QUANTINAL_BASE_URL=service) as (server, url, _):
        session = await opened(url, ANN)
        with anyio.fail_after(20):
            async with anyio.create_task_group() as tasks, plain() as idle:
                await idle.get(f"{url}/health")
                tasks.start_soon(listen, session)
                await until(lambda: ends == [200])
                tasks.start_soon(wait, session)
                tasks.start_soon(wait, Wire(url, BEN))
                await until(lambda: sandbox.count(*POST_RUN) >= 1)
                server.send_signal(number)
                with anyio.fail_after(2):
                    assert await server.wait() == 0
            assert server.stderr is not None
            said = b"".join([part async for part in server.stderr])
    assert said == b""
    assert len(ends) == 3


@both_eras
async def test_a_signal_ends_a_call_in_flight_with_an_error(sandbox: Sandbox, mode: Mode) -> None:
    answers: list[Json] = []

    async def wait(wire: Wire) -> None:
        async with plain() as http:
            call = {"name": "trigger_run", "arguments": dict(LONG), "_meta": {"progressToken": "told"}}
            answers.append(answer_in(await http.send(wire.request(http, "tools/call", call, request_id=77))))

    async with sandbox.serve() as service, process(QUANTINAL_BASE_URL=service) as (server, url, _):
        wire = await opened(url, ANN) if mode == "legacy" else Wire(url, ANN)
        with anyio.fail_after(20):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(wait, wire)
                await until(lambda: sandbox.count(*POST_RUN) == 1)
                server.send_signal(signal.SIGTERM)
    assert answers[0]["id"] == 77
    assert "call again" in answers[0]["error"]["message"]


async def test_the_server_says_where_it_serves_and_whose_account() -> None:
    async with process("--sandbox") as (_, url, said), plain() as http:
        assert "requests that bring no token use the sandbox's account" in said
        assert (await http.get(f"{url}/health")).json()["version"] == __version__
        assert not (await Wire(url, None).call("list_spaces"))["isError"]


async def test_a_port_in_use_is_said_without_a_traceback() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "quantinal_mcp", "serve", "--transport", "http", "--port", port]
        done = await anyio.run_process(command, check=False)
    assert done.returncode != 0
    assert b"in use" in done.stderr
    assert b"Traceback" not in done.stderr
