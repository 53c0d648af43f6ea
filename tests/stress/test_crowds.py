"""One account's quick calls while another, or nobody in particular, asks a server for all it has."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from anyio.streams.text import TextReceiveStream

from help.over_http import Wire, opened, process
from help.seeded import ANN, BEN, TESLA
from quantinal_mcp.sandbox import Fault, Sandbox

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc"),
]

CROWD = str(Path(__file__).with_name("crowd.py"))
LOOKED_AT_SECONDS = 5.0
NEWCOMER = "qapi_never-seen-before"
CAT = "qapi_cat-0123456789"
CATS_TESLA = "trk_72029c32-5433-467f-a35a-4ac5b4555b9f"


def megabytes(pid: int, what: str) -> float:
    found = re.search(rf"{what}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


@asynccontextmanager
async def served(sandbox: Sandbox, descriptors: int | None = None) -> AsyncGenerator[tuple[int, str, list[str]]]:
    """A server in a process of its own, which has served both accounts: its id, its URL, and what it says."""
    async with sandbox.serve() as service, process(QUANTINAL_BASE_URL=service) as (server, url, _):
        if descriptors:
            import resource  # noqa: PLC0415 - Windows has none

            resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (descriptors, descriptors))
        for token in (ANN, BEN):
            assert not (await Wire(url, token).call("list_spaces"))["isError"]
        said: list[str] = []
        async with anyio.create_task_group() as tasks:

            async def listen() -> None:
                assert server.stderr is not None
                stream = TextReceiveStream(server.stderr)
                with suppress(anyio.EndOfStream):
                    while True:
                        said.append(await stream.receive())

            tasks.start_soon(listen)
            yield server.pid, url, said
            tasks.cancel_scope.cancel()


@asynccontextmanager
async def crowd(kind: str, url: str, token: str) -> AsyncGenerator[None]:
    """A crowd, once it has begun."""
    command = [sys.executable, CROWD, kind, url.rpartition(":")[2], token]
    async with await anyio.open_process(command, stderr=subprocess.DEVNULL) as others:
        assert others.stdout is not None
        try:
            with anyio.fail_after(60):
                await others.stdout.receive()
            yield
        finally:
            others.kill()


async def slowest(url: str) -> float:
    """The longest that a call, a handshake and a newcomer's first call take meanwhile."""
    ben = await opened(url, BEN)
    longest = 0.0

    async def call() -> None:
        assert not (await Wire(url, BEN).call("list_spaces"))["isError"]

    async def call_in_session() -> None:
        assert not (await ben.call("list_spaces"))["isError"]

    async def shake_hands() -> None:
        await opened(url, BEN)

    async def come_anew() -> None:
        # The service does not know this token, and says so.
        assert "[unauthorized]" in str(await Wire(url, NEWCOMER).call("list_spaces"))

    ends = anyio.current_time() + LOOKED_AT_SECONDS
    while anyio.current_time() < ends:
        for ask in (call, call_in_session, shake_hands, come_anew):
            began = anyio.current_time()
            with anyio.fail_after(30):
                await ask()
            longest = max(longest, anyio.current_time() - began)
        await anyio.sleep(0.1)
    return longest


@pytest.mark.parametrize("token", [ANN, "qapi_made-up"])
@pytest.mark.parametrize(
    "kind", ["heads", "bodies", "half_requests", "made_up_bodies", "useless", "strings", "sessions"]
)
async def test_others_are_served_promptly_and_little_is_held_meanwhile(kind: str, token: str) -> None:
    async with served(Sandbox(tokens=(ANN, BEN), rate_limits=False)) as (pid, url, said):
        before = megabytes(pid, "VmRSS")
        async with crowd(kind, url, token):
            assert await slowest(url) < 2
        assert megabytes(pid, "VmHWM") - before < 200
        assert len("".join(said)) < 10_000


async def test_connections_beyond_the_descriptors_leave_a_server_quiet_and_serving() -> None:
    async with served(Sandbox(tokens=(ANN, BEN), rate_limits=False), descriptors=1024) as (pid, url, said):
        before = megabytes(pid, "VmRSS")
        async with crowd("connections", url, ANN):
            assert await slowest(url) < 2
        assert await slowest(url) < 2
        assert megabytes(pid, "VmHWM") - before < 200
        assert len("".join(said)) < 10_000


UPLOAD: dict[str, Any] = {"tracker_id": TESLA, "filename": "a.txt", "content": "a"}
SLOW = {
    "uploads": ("POST", f"{TESLA}/vault", "upload_vault_file", UPLOAD),
    "triggers": ("POST", f"{TESLA}/runs", "trigger_run", {"tracker_id": TESLA, "again": True}),
    "reads": ("GET", f"{TESLA}/vault", "get_vault", {"tracker_id": TESLA}),
}


@pytest.mark.parametrize("kind", SLOW)
async def test_requests_that_the_service_is_slow_with_hold_up_nobody_else(kind: str) -> None:
    method, path, tool, arguments = SLOW[kind]
    sandbox = Sandbox(tokens=(ANN, BEN), rate_limits=False)
    async with served(sandbox) as (_, url, _):
        sandbox.faults.add(Fault(method, path, "hang_before", times=None, seconds=60))
        async with anyio.create_task_group() as tasks:
            for _ in range(40):
                tasks.start_soon(lambda: Wire(url, ANN).send("tools/call", {"name": tool, "arguments": arguments}))
            with anyio.fail_after(20):
                while sandbox.count(method, path) < (1 if kind == "triggers" else 8):  # noqa: ASYNC110
                    await anyio.sleep(0.05)
            assert await slowest(url) < 2
            tasks.cancel_scope.cancel()


LARGE = {
    "text": json.dumps({"tracker_id": TESLA, "description": "Many lines of text…\n" * 300_000}),
    "values": f'{{"tracker_id": "{TESLA}", "x": [{",".join(["{}"] * 2_500_000)}]}}',
    "rows": json.dumps({"tracker_id": TESLA, "x": [{"a": "line\n", "b": n} for n in range(100_000)]}),
}


@pytest.mark.parametrize("kind", LARGE)
async def test_large_answers_to_one_account_hold_up_nobody_else(kind: str) -> None:
    sandbox = Sandbox(tokens=(ANN, BEN), rate_limits=False)
    sandbox.faults.add(Fault("GET", f"{TESLA}$", "status", times=None, code=200, body=LARGE[kind]))
    async with served(sandbox) as (pid, url, _):
        before = megabytes(pid, "VmRSS")

        async def read_on() -> None:
            while True:
                await Wire(url, ANN).send("tools/call", {"name": "get_tracker", "arguments": {"tracker_id": TESLA}})

        async with anyio.create_task_group() as tasks:
            for _ in range(4):
                tasks.start_soon(read_on)
            assert await slowest(url) < 2
            tasks.cancel_scope.cancel()
        assert sandbox.count("GET", f"{TESLA}$") > 4
        assert megabytes(pid, "VmHWM") - before < 200


async def test_large_uploads_of_several_accounts_hold_little_and_hold_up_nobody_else() -> None:
    others = {ANN: TESLA, CAT: CATS_TESLA}
    sandbox = Sandbox(tokens=(ANN, BEN, CAT), rate_limits=False)
    sandbox.faults.add(Fault("POST", "/vault", "hang_before", times=None, seconds=2))
    content = base64.b64encode(b"x" * 11_000_000).decode()
    uploaded: list[bool] = []
    async with served(sandbox) as (pid, url, _):
        before = megabytes(pid, "VmRSS")

        async def upload_on(token: str, tracker_id: str) -> None:
            arguments = {"tracker_id": tracker_id, "filename": "a.txt", "content_base64": content}
            while True:
                # Who is refused while still sending is listened to for a second, and cut off.
                with suppress(httpx.TransportError):
                    answered = await Wire(url, token).send(
                        "tools/call", {"name": "upload_vault_file", "arguments": arguments}
                    )
                    uploaded.append(answered.status_code == 200)

        async with anyio.create_task_group() as tasks:
            for token, tracker_id in others.items():
                tasks.start_soon(upload_on, token, tracker_id)
                tasks.start_soon(upload_on, token, tracker_id)
            assert await slowest(url) < 2
            tasks.cancel_scope.cancel()
        assert uploaded.count(True) > 2
        assert megabytes(pid, "VmHWM") - before < 200
