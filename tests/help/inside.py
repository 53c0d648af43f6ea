"""The sandbox behind its API: what a test finds in it, and what it is told to answer."""

from __future__ import annotations

import json
from typing import Any

from help.callers import tracker_of
from help.seeded import UNUSED
from quantinal_mcp.sandbox import Fault, Sandbox


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
