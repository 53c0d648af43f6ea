"""What a wait costs: requests to the service, and how late the end of a run is noticed, on a simulated clock."""

from __future__ import annotations

import anyio
from mcp import Client
from tokens import TRACKER
from trio.testing import MockClock

from quantinal_mcp.client import Http
from quantinal_mcp.sandbox import Sandbox
from quantinal_mcp.server import build_server
from quantinal_mcp.settings import Settings

LENGTHS = (1.0, 30.0, 300.0, 2400.0)


async def _follow(seconds: float) -> tuple[int, float]:
    sandbox = Sandbox(sync_limit=1e9, time_scale=1, pending_seconds=0)
    server = build_server(
        Settings(api_token="qapi_sandbox", wait_seconds=300),  # noqa: S106 - opens the simulation
        lambda: Http("http://sandbox/v1", sandbox.transport()),
    )
    async with Client(server) as client:
        started = anyio.current_time()
        steer = {"sandbox": {"seconds": seconds, "fail": False}}
        answer = await client.call_tool("trigger_run", {"tracker_id": TRACKER, "context": steer})
        run = answer.structured_content or {}
        before = len(sandbox.requests)
        while run["status"] not in ("completed", "failed"):
            answer = await client.call_tool("wait_for_run", {"tracker_id": TRACKER, "run_id": run["run_id"]})
            run = answer.structured_content or {}
        return len(sandbox.requests) - before, anyio.current_time() - started - seconds


def waits() -> dict[float, tuple[int, float]]:
    """Requests of a wait, and seconds from the end of the run to its notice, by the run's length in seconds."""

    def simulate(seconds: float) -> tuple[int, float]:
        return anyio.run(_follow, seconds, backend="trio", backend_options={"clock": MockClock(autojump_threshold=0)})

    return {seconds: simulate(seconds) for seconds in LENGTHS}
