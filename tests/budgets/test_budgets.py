"""What a session pays before it has asked anything, and for common answers: exact figures, never seconds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from typing import Any

import pytest

from help.callers import client_of, connected, text_of
from help.seeded import RUN, TESLA, steer
from quantinal_mcp.sandbox import Sandbox

OF_A_RUN = {"tracker_id": TESLA, "run_id": RUN}
FAULTLESS = steer(0.01)

HANDSHAKE = [
    {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "budget", "version": "1"},
        },
    },
    {"jsonrpc": "2.0", "method": "notifications/initialized"},
    {"jsonrpc": "2.0", "id": 2, "method": "tools/list"},
]


def size(value: object) -> int:
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


@pytest.mark.anyio
async def test_the_tools_stay_small() -> None:
    async with client_of(Sandbox()) as client:
        listed = (await client.list_tools()).tools
    tools = [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in listed]
    assert size({"tools": tools}) <= 36_000
    assert size([{key: tool[key] for key in ("name", "description", "inputSchema")} for tool in tools]) <= 15_800


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("tool", "arguments", "most"),
    [
        ("get_overview", {}, 2_300),
        ("list_runs", {"tracker_id": TESLA}, 8_500),
        ("get_run", OF_A_RUN, 1_000),
        ("wait_for_run", OF_A_RUN, 700),
        ("get_tracker", {"tracker_id": TESLA}, 850),
        ("estimate_run_cost", {"tracker_id": TESLA}, 320),
        ("get_score_history", {"tracker_id": TESLA}, 1_950),
        ("get_spending", {}, 1_700),
        ("trigger_run", {"tracker_id": TESLA, "sync": True, "context": FAULTLESS}, 1_000),
    ],
)
async def test_an_answer_stays_small(tool: str, arguments: dict[str, Any], most: int) -> None:
    now = datetime(2026, 2, 20, tzinfo=UTC)
    async with connected(Sandbox(start=now, pending_seconds=0), now=now) as caller:
        answer = await caller.result(tool, **arguments)
    assert not answer.is_error
    assert len(text_of(answer).encode()) <= most


def imported_by(*command: str) -> set[str]:
    """The modules that a server has imported by the time it has listed its tools."""
    said = "".join(json.dumps(message) + "\n" for message in HANDSHAKE)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("QUANTINAL_")}
    with tempfile.TemporaryFile("w+") as errors:
        with subprocess.Popen(  # noqa: S603 - our own interpreter
            [sys.executable, "-X", "importtime", *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=environment | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(said)
            process.stdin.flush()
            # A server whose stdin closes drops what it has not answered yet.
            listed = any('"id":2' in line.replace(" ", "") for line in process.stdout)
            process.stdin.close()
        errors.seek(0)
        lines = errors.read().splitlines()
        assert listed, lines[-5:]
        return {line.rsplit("|", 1)[1].strip() for line in lines if line.startswith("import time:")}


def test_a_start_imports_little_beyond_the_sdk() -> None:
    """The SDK itself brings rich, uvicorn and starlette, whatever the transport."""
    bare = "from mcp.server import MCPServer; MCPServer('bare').run('stdio')"
    ours = imported_by("-m", "quantinal_mcp")
    foreign = {name for name in ours - imported_by("-c", bare) if name.partition(".")[0] != "quantinal_mcp"}
    apart = {"mcp.server.apps"}
    assert foreign <= apart | {"_statistics", "gc", "mmap", "statistics", "pydantic.functional_serializers", "runpy"}
    later = {"sandbox", "demo", "check", "http", "door", "client.wire"}
    assert not ours & {f"quantinal_mcp.{name}" for name in later}
