"""Latency and throughput of calls, all contestants by turns against one backend."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from statistics import median, quantiles
from typing import Any

import httpx
from stdio import Server

from quantinal_mcp.client import Http, QuantinalClient

TRACKER = "trk_a1b2c3d4-5e6f-4a7b-8c9d-0e1f2a3b4c5d"
RUN = "run_9f8e7d6c-5a4b-4c3d-2e1f-0a9b8c7d6e5f"
IN_FLIGHT = 32

CALLS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "get_run": (f"/api/trackers/{TRACKER}/runs/{RUN}", {"tracker_id": TRACKER, "run_id": RUN}),
    "get_tracker": (f"/api/trackers/{TRACKER}", {"tracker_id": TRACKER}),
    "list_runs": (f"/api/trackers/{TRACKER}/runs?page=1&page_size=100", {"tracker_id": TRACKER, "page_size": 100}),
}


class Raw:
    """httpx and nothing else: one client with its defaults."""

    def __init__(self, base_url: str, token: str) -> None:
        self._runner = asyncio.Runner()
        headers = {"Authorization": f"Bearer {token}"}
        self._client = httpx.AsyncClient(base_url=base_url, headers=headers)
        self._http = Http(base_url)
        self._ours = QuantinalClient(self._http, token)

    def call(self, tool: str) -> None:
        """Fetch what the tool would."""
        self._runner.run(self._fetch(tool))

    def many(self, count: int) -> float:
        """Calls of get_run per second, `IN_FLIGHT` at a time."""
        return self._runner.run(self._many(lambda: self._fetch("get_run"), count))

    def ours(self, count: int) -> float:
        """The same with our client, still without MCP."""
        return self._runner.run(self._many(lambda: self._ours.get_run(TRACKER, RUN), count))

    async def _fetch(self, tool: str) -> None:
        response = await self._client.get(CALLS[tool][0])
        response.raise_for_status()
        response.json()

    async def _many(self, fetch: Callable[[], Awaitable[object]], count: int) -> float:
        left = iter(range(count))

        async def work() -> None:
            for _ in left:
                await fetch()

        started = time.perf_counter()
        async with asyncio.TaskGroup() as tasks:
            for _ in range(IN_FLIGHT):
                tasks.create_task(work())
        return count / (time.perf_counter() - started)

    def close(self) -> None:
        """Close the connections."""
        self._runner.run(self._client.aclose())
        self._runner.run(self._http.aclose())
        self._runner.close()


def many(server: Server, count: int) -> float:
    """Calls per second of a server, `IN_FLIGHT` at a time: of get_run, or of the tool that does nothing."""
    tool = "get_run" if "get_run" in server.tools() else "nothing"
    arguments = CALLS[tool][1] if tool in CALLS else {}
    started = time.perf_counter()
    for _ in range(IN_FLIGHT):
        server.start_call(tool, arguments)
    for _ in range(count - IN_FLIGHT):
        server.receive()
        server.start_call(tool, arguments)
    for _ in range(IN_FLIGHT):
        server.receive()
    return count / (time.perf_counter() - started)


def latencies(raw: Raw, servers: Mapping[str, Server], rounds: int) -> dict[tuple[str, str], tuple[float, float]]:
    """Median and 95th percentile in milliseconds, by tool and contestant."""
    contestants: dict[str, Callable[[str], object]] = {"raw httpx": raw.call}
    for name, server in servers.items():
        contestants[name] = lambda tool, server=server: server.call(tool, CALLS[tool][1])
    taken: dict[tuple[str, str], list[float]] = {}
    for tool in CALLS:
        for name, call in contestants.items():
            for _ in range(5):
                call(tool)
            taken[tool, name] = []
        for _ in range(rounds):
            for name, call in contestants.items():
                started = time.perf_counter()
                call(tool)
                taken[tool, name].append(1000 * (time.perf_counter() - started))
    return {key: (median(times), quantiles(times, n=20)[-1]) for key, times in taken.items()}


def throughputs(raw: Raw, servers: Mapping[str, Server], rounds: int, calls: int) -> dict[str, tuple[float, float]]:
    """Calls of get_run per second, and processor milliseconds a call, by contestant; medians of the rounds."""
    here = {"raw httpx": raw.many, "our client, without MCP": raw.ours}
    rates: dict[str, list[tuple[float, float]]] = {name: [] for name in (*here, *servers)}
    for _ in range(rounds):
        for name, run in here.items():
            used = time.process_time()
            rate = run(calls)
            rates[name].append((rate, 1000 * (time.process_time() - used) / calls))
        for name, server in servers.items():
            used = server.cpu_seconds()
            rate = many(server, calls)
            rates[name].append((rate, 1000 * (server.cpu_seconds() - used) / calls))
    return {name: (median(rate for rate, _ in both), median(cost for _, cost in both)) for name, both in rates.items()}
