"""What two hundred waits at once cost, over HTTP: memory of the server, and requests to the service.

`python benchmarks/held.py`; `benchmarks/run.py` puts the result into RESULTS.md.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from pathlib import Path

import anyio
import httpx
from stdio import resident_kilobytes

from quantinal_mcp.sandbox import Sandbox

HERE = Path(__file__).resolve().parent
TOKENS = tuple(f"qapi_account-{number}" for number in range(4))
"""An account may have 64 calls in flight."""
WAITS = 200
SECONDS = 60.0


def held() -> tuple[float, float]:
    """Kilobytes for each wait, and requests to the service a second."""
    with tempfile.TemporaryDirectory() as state:
        return anyio.run(_held, state)


async def _held(state: str) -> tuple[float, float]:
    sandbox = Sandbox(tokens=TOKENS, rate_limits=False, balance=1e6)
    command = [sys.executable, "-m", "quantinal_mcp", "serve", "--transport", "http", "--port", "0"]
    async with sandbox.serve() as base_url:
        environment = {
            **os.environ,
            "QUANTINAL_BASE_URL": base_url,
            "PYTHONPATH": str(HERE.parent),
            "XDG_STATE_HOME": state,
        }
        async with await anyio.open_process(command, env=environment) as server:
            try:
                assert server.stderr is not None  # noqa: S101
                said = b""
                while not (found := re.search(rb"http://127\.0\.0\.1:\d+/mcp\b", said)):
                    said += await server.stderr.receive()
                limits = httpx.Limits(max_connections=None)
                async with httpx.AsyncClient(timeout=SECONDS + 60, limits=limits, trust_env=False) as client:
                    url = found[0].decode()
                    waits = [await begun(client, base_url, token) for token in TOKENS for _ in range(WAITS // 4)]
                    for wait in waits[::4]:  # what any call makes stays
                        await call(client, url, *wait, 0.1)
                    before, asked = resident_kilobytes(server.pid), len(sandbox.requests)
                    async with anyio.create_task_group() as tasks:
                        for wait in waits:
                            tasks.start_soon(call, client, url, *wait, SECONDS)
                        await anyio.sleep(SECONDS - 5)
                        grown = resident_kilobytes(server.pid) - before
                    return grown / WAITS, (len(sandbox.requests) - asked) / SECONDS
            finally:
                server.kill()


async def begun(client: httpx.AsyncClient, base_url: str, token: str) -> tuple[str, str, str]:
    """A run of an hour: its account, tracker and id."""
    headers = {"Authorization": f"Bearer {token}"}
    [space, *_] = (await client.get(f"{base_url}/api/spaces", headers=headers)).json()["data"]
    where = {"space_id": space["space_id"]}
    trackers = (await client.get(f"{base_url}/api/trackers", params=where, headers=headers)).json()["data"]
    tracker_id = trackers[0]["tracker_id"]
    steer = {"context": {"sandbox": {"seconds": 3600}}}
    run = await client.post(f"{base_url}/api/trackers/{tracker_id}/runs", headers=headers, json=steer)
    return token, tracker_id, run.json()["run_id"]


async def call(client: httpx.AsyncClient, url: str, token: str, tracker_id: str, run_id: str, seconds: float) -> None:
    """Wait for a run."""
    arguments = {"tracker_id": tracker_id, "run_id": run_id, "wait_seconds": seconds}
    about = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "benchmark", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    headers = {
        "Authorization": f"Bearer {token}",
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": "2026-07-28",
        "Mcp-Method": "tools/call",
        "Mcp-Name": "wait_for_run",
    }
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
    params = {"name": "wait_for_run", "arguments": arguments, "_meta": about}
    answer = await client.post(url, headers=headers, json={**body, "params": params})
    if answer.status_code != 200 or '"isError":true' in answer.text:
        raise RuntimeError(answer.text[:500])


if __name__ == "__main__":
    each, rate = held()
    print(f"{each:.0f} kB for each of {WAITS} waits, {rate:.1f} requests to the service a second")
