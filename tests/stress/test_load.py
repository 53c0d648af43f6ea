"""Thousands of calls: memory stays flat, and nothing is left behind."""

from __future__ import annotations

import asyncio
import gc
import os
import resource
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client

from help.callers import client_of
from help.seeded import TESLA, steer
from quantinal_mcp.money.budget import Budget
from quantinal_mcp.sandbox import Fault, Sandbox

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.timeout(400)]

QUICK = steer(0.01)


async def test_memory_is_flat_over_ten_thousand_calls() -> None:
    sandbox = Sandbox(rate_limits=False)
    run_ids: list[str] = []

    async def calls(client: Client, count: int) -> int:
        for number in range(count):
            tool = ("get_tracker", "list_skills", "wait_for_run", "get_run", "get_vault")[number % 5]
            arguments = {} if tool == "list_skills" else {"tracker_id": TESLA}
            if tool in ("wait_for_run", "get_run"):
                arguments["run_id"] = run_ids[number % len(run_ids)]
            result = await client.call_tool(tool, arguments)
            assert not result.is_error
        sandbox.requests.clear()
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    async with client_of(sandbox, budget_quants=Budget(1e6)) as client:
        listed = await client.call_tool("list_runs", {"tracker_id": TESLA, "page_size": 100})
        content: Any = listed.structured_content
        run_ids += [run["run_id"] for run in content["data"]]
        before = await calls(client, 2000)
        after = await calls(client, 8000)
    assert after - before < 6000, "a kilobyte per call would be eight thousand"


def open_files() -> set[str]:
    """What this process holds open, by number and name."""
    found: set[str] = set()
    for entry in Path("/proc/self/fd").iterdir():
        try:
            found.add(f"{entry.name} {os.readlink(entry)}")  # noqa: PTH115 - a socket's target is no path
        except OSError:
            continue
    return found


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="open files are counted through /proc")
async def test_no_task_socket_or_file_is_left_behind() -> None:
    async def busy() -> None:
        sandbox = Sandbox(sync_limit=0.2)
        async with sandbox.serve() as base_url:
            way = client_of(sandbox, base_url=base_url, wait_seconds=2)
            async with way as client, anyio.create_task_group() as tasks:
                sandbox.faults.add(Fault("POST", r"/runs$", "drop_after", times=3))
                for number in range(12):
                    arguments = {"tracker_id": TESLA, "sync": number % 2 == 0, "context": QUICK}
                    tasks.start_soon(client.call_tool, "trigger_run", arguments)
                    tasks.start_soon(client.call_tool, "get_tracker", {"tracker_id": TESLA})
                with anyio.move_on_after(0.3):
                    await client.call_tool("trigger_run", {"tracker_id": TESLA, "sync": True})

    await busy()
    gc.collect()
    files, tasks = open_files(), len(asyncio.all_tasks())
    for _ in range(3):
        await busy()
    gc.collect()
    assert len(open_files()) == len(files), open_files() ^ files
    assert len(asyncio.all_tasks()) == tasks
