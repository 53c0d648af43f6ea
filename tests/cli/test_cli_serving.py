"""The server process: what it says, what it keeps to itself, and how it ends."""

import json
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable

import httpx
import pytest
from mcp import Client
from mcp.client.stdio import stdio_client
from mcp_types import TextContent

from help.command import ENDS_WITHIN, begin_waiting, pipes, run, send, server, started
from help.seeded import TESLA
from quantinal_mcp.sandbox import Sandbox
from quantinal_mcp.sandbox.world.service import SERVICES
from quantinal_mcp.server import OFFERS


@pytest.mark.anyio
async def test_a_client_lists_every_tool_and_calls_one_in_the_sandbox() -> None:
    async with Client(server("--sandbox")) as client:
        listed = await client.list_tools()
        answer = await client.call_tool("list_spaces", {})
    assert [tool.name for tool in listed.tools] == [offer.function.__name__ for offer in OFFERS]
    assert answer.structured_content is not None
    assert answer.structured_content["data"][0]["name"] == "Market Research"


@pytest.mark.anyio
async def test_without_a_token_tools_are_listed_and_calls_say_how_to_get_one() -> None:
    with tempfile.TemporaryFile("w+") as log:
        async with Client(stdio_client(server(), log)) as client:
            tools = (await client.list_tools()).tools
            answer = await client.call_tool("list_spaces", {})
        log.seek(0)
        said = log.read()
    assert len(tools) == len(OFFERS)
    assert answer.is_error is True
    assert isinstance(answer.content[0], TextContent)
    assert answer.content[0].text.startswith("[no_token]")
    assert said.count("\n") == 1
    assert "QUANTINAL_API_TOKEN" in said


def _interrupt(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGINT)


def _terminate(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGTERM)


def _close_stdin(process: subprocess.Popen[str]) -> None:
    pipes(process)[0].close()


def _vanish(process: subprocess.Popen[str]) -> None:
    pipes(process)[1].close()
    pipes(process)[0].close()


@pytest.mark.parametrize(
    ("how", "status"),
    [
        pytest.param(_interrupt, 130, id="interrupted"),
        pytest.param(_terminate, 143, id="terminated"),
        pytest.param(_close_stdin, 0, id="stdin closed"),
        pytest.param(_vanish, 0, id="client gone"),
    ],
)
def test_it_ends_in_time_and_quietly_in_the_middle_of_a_wait(
    how: Callable[[subprocess.Popen[str]], None], status: int
) -> None:
    with started("serve", "--sandbox") as process:
        begin_waiting(process)
        how(process)
        assert process.wait(ENDS_WITHIN) == status
        said = pipes(process)[2].read()
    assert said.count("\n") == 1
    assert "sandbox" in said


def test_stdout_carries_json_rpc_only_whatever_is_logged() -> None:
    with started("serve", "--sandbox", "--log-level", "debug") as process:
        stdin, stdout, stderr = pipes(process)
        begin_waiting(process)
        stdin.write("this is no JSON\n")
        send(process, id=3, method="no/such/method")
        lines = [stdout.readline()]
        while json.loads(lines[-1]).get("id") != 3:
            lines.append(stdout.readline())
        stdin.close()
        lines += stdout.read().splitlines()
        assert "DEBUG" in stderr.read()
    assert all(json.loads(line)["jsonrpc"] == "2.0" for line in lines)


CALL = '{"jsonrpc": "2.0", "id": %s, "method": "tools/call", "params": {"name": "list_spaces", "arguments": %s}}'


@pytest.mark.parametrize("request_id", [7, "seven"])
def test_a_line_that_cannot_be_read_is_answered_with_an_error_for_its_id(request_id: int | str) -> None:
    named = json.dumps(request_id)
    unreadable = [
        CALL % (named, '{"x": "\\ud800"}'),
        CALL % (named, '{"x": ' + "[" * 200 + "]" * 200 + "}"),
        CALL % (named, '{"x": ' + "[" * 100_000 + "]" * 100_000 + "}"),
        CALL % (named, '{"x": ' + "1" * 5000 + "}"),
        (CALL % (named, "{}"))[:-1],
        f'{{"jsonrpc": "2.0", "method": 5, "id": {named}}}',
    ]
    with started("serve", "--sandbox") as process:
        stdin, stdout, _ = pipes(process)
        for line in ["no JSON", "", "[]", '{"id": 1, "result": "\\ud800"}', *unreadable]:
            stdin.write(line + "\n")
        stdin.flush()
        answers = [json.loads(stdout.readline()) for _ in unreadable]
        assert [answer["id"] for answer in answers] == [request_id] * len(unreadable)
        assert all("cannot be read" in answer["error"]["message"] for answer in answers)
        send(process, id=1, method="ping")
        assert json.loads(stdout.readline())["id"] == 1
        stdin.close()
        assert stdout.read() == ""


@pytest.mark.anyio
async def test_the_token_is_never_logged() -> None:
    token = "qapi_neverlogged"
    sandbox = Sandbox(tokens=(token,))
    with tempfile.TemporaryFile("w+") as log:
        async with sandbox.serve() as base_url:
            started_with = {"QUANTINAL_BASE_URL": base_url, "QUANTINAL_API_TOKEN": token}
            async with Client(stdio_client(server("--log-level", "DEBUG", **started_with), log)) as client:
                assert (await client.call_tool("list_spaces", {})).is_error is False
                assert (await client.call_tool("get_tracker", {"tracker_id": "trk_" + "0" * 36})).is_error is True
        log.seek(0)
        said = log.read()
    assert "DEBUG" in said
    assert sandbox.requests
    assert "neverlogged" not in said
    assert "httpcore" not in said


def test_http_is_served_on_request_and_ends_on_a_signal() -> None:
    with started("--transport", "http", "--port", "0", "--sandbox") as process:
        said = ""
        while (found := re.search(r"http://127\.0\.0\.1:\d+", said)) is None:
            line = pipes(process)[2].readline()
            assert line, said
            said += line
        assert httpx.get(f"{found[0]}/health").json()["status"] == "ok"
        process.terminate()
        assert process.wait(ENDS_WITHIN + 1) in {0, 143}
        assert "Traceback" not in pipes(process)[2].read()


def test_the_sandbox_command_serves_the_api_until_interrupted() -> None:
    with started("sandbox", "--port", "0") as process:
        said = ""
        while "Ctrl-C" not in said:
            line = pipes(process)[1].readline()
            assert line, said
            said += line
        found = re.search(r"http://127\.0\.0\.1:\d+/v1", said)
        assert found is not None
        assert "qapi_sandbox" in said
        answer = httpx.get(f"{found[0]}/api/spaces", headers={"Authorization": "Bearer qapi_sandbox"})
        assert answer.json()["pagination"]["total_items"] == 3
        process.send_signal(signal.SIGINT)
        assert process.wait(ENDS_WITHIN) == 0
        assert pipes(process)[2].read() == ""


def test_the_sandbox_command_plays_the_service_that_is_asked_for() -> None:
    with started("sandbox", "--service", "v0.3") as process:
        base_url = pipes(process)[1].readline().split()[-1]
        headers = {"Authorization": "Bearer qapi_sandbox"}
        tracker = httpx.get(f"{base_url}/api/trackers/{TESLA}", headers=headers).json()
    assert "visibility" not in tracker
    refused = run("sandbox", "--service", "v9")
    assert refused.returncode == 2
    assert all(f"'{service}'" in refused.stderr for service in SERVICES)


def test_a_port_that_is_taken_is_told_in_one_line() -> None:
    with started("sandbox", "--port", "0") as process:
        port = pipes(process)[1].readline().split(":")[-1].split("/")[0]
        done = run("sandbox", "--port", port)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert port in done.stderr


@pytest.mark.parametrize(
    ("module", "dear"),
    [
        ("quantinal_mcp.cli", {"mcp", "rich", "uvicorn", "httpx", "quantinal_mcp.server", "quantinal_mcp.sandbox"}),
        # httpx imports rich and the SDK's sse_starlette imports uvicorn, wherever they are installed.
        ("quantinal_mcp.server", {"quantinal_mcp.sandbox", "quantinal_mcp.demo", "quantinal_mcp.check"}),
    ],
)
def test_importing_stays_cheap(module: str, dear: set[str]) -> None:
    code = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert not dear & set(done.stdout.split())
