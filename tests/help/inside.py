"""The sandbox behind its API: what a test finds in it, what others do in it, and what it is told to answer."""

from __future__ import annotations

import json
from typing import Any

import anyio

from help.callers import gather, tracker_of
from help.seeded import TESLA, UNUSED
from quantinal_mcp.sandbox import Fault, Sandbox

POST = r"/runs$"
GET_RUN = r"/runs/run_[^/]+$"
"""The paths of a trigger, and of one run."""


def changes_nothing(sandbox: Sandbox) -> bool:
    return all(sandbox.count(method, "/") == 0 for method in ("POST", "PATCH", "DELETE"))


def items(sandbox: Sandbox, tracker_id: str = UNUSED) -> dict[str, list[str]]:
    return {
        source.name: [item.content for item in source.items]
        for source in tracker_of(sandbox, tracker_id).vault.sources.values()
    }


def failing(sandbox: Sandbox, code: int, **fault: Any) -> None:
    fault.setdefault("body", json.dumps({"detail": "It is so"}))
    sandbox.faults.add(Fault("*", "/api/", "status", None, code=code, **fault))


def make_super(sandbox: Sandbox, tracker_id: str = TESLA) -> None:
    """Somebody makes the tracker dear in the console."""
    tracker_of(sandbox, tracker_id).settings["agent_config"]["reasoning_mode"] = "super"


async def meanwhile(sandbox: Sandbox, call: Any, change: Any) -> Any:
    """Do `change` between the first reading of the tracker and the second."""
    sandbox.faults.add(Fault("GET", rf"/trackers/{TESLA}$", "hang_before", seconds=2, skip=1, times=1))

    async def later() -> None:
        await anyio.sleep(1)
        change()

    return (await gather(later, call))[1]


def lose(times: int | None = 1, skip: int = 0) -> Fault:
    return Fault("POST", r"/runs$", "drop_after", times=times, skip=skip)
