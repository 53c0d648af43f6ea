"""Calls a second of three replicas behind an nginx, of this server and of fastmcp's bridge.

`python benchmarks/fleet.py`; needs nginx, and installs fastmcp into benchmarks/.cache. The configuration of nginx is
that of `deploy/`. Load, replicas, nginx and service share this machine: compare within a run.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from statistics import median

import anyio
import httpx
from backend import backend
from calls import CALLS
from run import bridge_python
from stdio import cpu_seconds

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "tests"))

from help.nginx import nginx  # noqa: E402 - the tests' own
from help.postgres import free_port  # noqa: E402

OURS, BRIDGE = "quantinal-mcp", "fastmcp bridge"
REPLICAS, SESSIONS, IN_FLIGHT, CALLS_A_ROUND, ROUNDS = 3, 6, 24, 300, 5
VERSION = "2025-11-25"


def main() -> None:
    """Measure by turns, and print."""
    figures = anyio.run(measured)
    for name, (rate, cost) in figures.items():
        others = f"{rate / figures[BRIDGE][0]:.2f} × {BRIDGE}"
        print(f"{name}: {rate:.0f} calls/s, {others}; {cost:.2f} ms of the replicas' processor time a call")


async def measured() -> dict[str, tuple[float, float]]:
    """Median calls a second of get_run, and milliseconds of its replicas' processor time a call, by contestant."""
    commands = {
        OURS: (sys.executable, "-m", "quantinal_mcp", "serve", "--transport", "http", "--port"),
        BRIDGE: (bridge_python(), str(HERE / "floors" / "bridge.py")),
    }
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    with backend() as (base_url, token), tempfile.TemporaryDirectory() as state:
        environ = {**os.environ, "QUANTINAL_BASE_URL": base_url, "QUANTINAL_API_TOKEN": token}
        environ |= {"PYTHONPATH": str(HERE.parent), "XDG_STATE_HOME": state}
        async with AsyncExitStack() as stack:
            urls: dict[str, str] = {}
            pids: dict[str, list[int]] = {}
            for name, command in commands.items():
                urls[name], pids[name] = await stack.enter_async_context(fleet(command, environ))
            async with httpx.AsyncClient(timeout=60, trust_env=False, headers=headers(token)) as http:
                sessions = {name: [await opened(http, url) for _ in range(SESSIONS)] for name, url in urls.items()}
            for name in [*commands] * (ROUNDS + 1):  # the first round warms up
                used = sum(map(cpu_seconds, pids[name]))
                fast = await rate(urls[name], token, sessions[name])
                taken[name].append((fast, 1000 * (sum(map(cpu_seconds, pids[name])) - used) / CALLS_A_ROUND))
    return {
        name: (median(fast for fast, _ in both[1:]), median(cost for _, cost in both[1:]))
        for name, both in taken.items()
    }


@asynccontextmanager
async def fleet(command: Sequence[str], environ: dict[str, str]) -> AsyncGenerator[tuple[str, list[int]]]:
    """Replicas behind an nginx: its URL, and which processes they are."""
    ports = [free_port() for _ in range(REPLICAS)]
    replicas = [
        subprocess.Popen([*command, str(port)], env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: ASYNC220
        for port in ports
    ]
    try:
        for port in ports:
            await reachable(port)
        async with nginx(ports) as url:
            yield f"{url}/mcp", [replica.pid for replica in replicas]
    finally:
        for replica in replicas:
            replica.kill()
            replica.wait()


async def reachable(port: int) -> None:
    """Wait until something listens there."""
    with anyio.fail_after(30):
        while True:
            try:
                await (await anyio.connect_tcp("127.0.0.1", port)).aclose()
            except OSError:
                await anyio.sleep(0.1)
            else:
                return


def headers(token: str) -> dict[str, str]:
    """What each request carries."""
    return {"Authorization": f"Bearer {token}", "Accept": "application/json, text/event-stream"}


def within(session: str) -> dict[str, str]:
    """What each request of a session carries too."""
    return {"Mcp-Session-Id": session, "MCP-Protocol-Version": VERSION}


async def opened(http: httpx.AsyncClient, url: str) -> str:
    """A session's id."""
    client = {"name": "benchmark", "version": "1"}
    params = {"protocolVersion": VERSION, "capabilities": {}, "clientInfo": client}
    answer = await http.post(url, json={"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params})
    session = answer.raise_for_status().headers["mcp-session-id"]
    await http.post(url, headers=within(session), json={"jsonrpc": "2.0", "method": "notifications/initialized"})
    return session


async def rate(url: str, token: str, sessions: Sequence[str]) -> float:
    """Calls a second, some in flight in each session; by hand, since a client would take as long as a server."""
    params = {"name": "get_run", "arguments": CALLS["get_run"][1]}
    host, _, path = url.removeprefix("http://").partition("/")
    left = iter(range(CALLS_A_ROUND))

    async def work(session: str) -> None:
        lines = [f"{name}: {value}" for name, value in {**headers(token), **within(session)}.items()]
        lines += [f"Host: {host}", "Connection: close", "Content-Type: application/json"]
        for number in left:
            body = json.dumps({"jsonrpc": "2.0", "id": number + 1, "method": "tools/call", "params": params})
            head = [f"POST /{path} HTTP/1.1", *lines, f"Content-Length: {len(body)}", "", ""]
            request = ("\r\n".join(head) + body).encode()
            answer = b""
            async with await anyio.connect_tcp("127.0.0.1", int(host.rpartition(":")[2])) as stream:
                await stream.send(request)
                with suppress(anyio.EndOfStream):
                    while True:
                        answer += await stream.receive()
            if not answer.startswith(b"HTTP/1.1 200") or b'"isError":true' in answer or b"run_id" not in answer:
                raise RuntimeError(answer[:500])

    started = time.perf_counter()
    async with anyio.create_task_group() as tasks:
        for number in range(IN_FLIGHT):
            tasks.start_soon(work, sessions[number % len(sessions)])
    return CALLS_A_ROUND / (time.perf_counter() - started)


if __name__ == "__main__":
    main()
