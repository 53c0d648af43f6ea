"""Servers killed at random instants of a trigger's life: the repeat in another process pays nothing again."""

from __future__ import annotations

import json
import os
import random
import sqlite3
import sys
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from help.callers import tracker_of
from help.command import command
from help.eras import HANDSHAKE
from help.seeded import SPACE, TOKEN, Json, tracker_body
from help.services import in_process
from quantinal_mcp.runs.repeats import UNREAD_SECONDS
from quantinal_mcp.sandbox import Fault, Sandbox
from quantinal_mcp.sandbox.world.records import Tracker

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.timeout(3600)]

KILLS = int(os.environ.get("KILLS", "201"))
LANES = 3
LONGEST = 4.0
"""Seconds into a call at which it is killed at the latest."""

FAULTS: list[dict[str, Any]] = [
    {},
    {},
    {"kind": "drop_after"},
    {"kind": "half"},
    {"kind": "hang_after", "seconds": 3},
    {"kind": "act_then_status", "code": 504, "body": '{"detail": "Timed out", "error_code": "RUNNER_SYNC_TIMEOUT"}'},
    {"kind": "act_then_status", "code": 502, "body": "<html>Bad gateway</html>"},
]


class Server:
    """A server on stdio, spoken to by hand."""

    def __init__(self, process: Process) -> None:
        assert process.stdout is not None
        self._process = process
        self._lines = BufferedByteReceiveStream(process.stdout)
        self._id = 0

    async def begin(self) -> None:
        client = {"name": "test", "version": "1"}
        await self.ask("initialize", {"protocolVersion": HANDSHAKE, "capabilities": {}, "clientInfo": client})
        await self._send({"method": "notifications/initialized"})

    async def ask(self, method: str, params: Json) -> Json:
        self._id += 1
        await self._send({"id": self._id, "method": method, "params": params})
        while True:
            message: Json = json.loads(await self._lines.receive_until(b"\n", 10_000_000))
            if message.get("id") == self._id:
                return message["result"]

    async def call(self, tool: str, **arguments: Any) -> Json:
        return await self.ask("tools/call", {"name": tool, "arguments": arguments})

    async def _send(self, message: Json) -> None:
        assert self._process.stdin is not None
        await self._process.stdin.send(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")

    async def kill(self) -> None:
        self._process.kill()
        await self._process.aclose()


async def begun(base_url: str, journal: Path) -> Server:
    """A server that is ready to be called; it ends by a kill, or with its stdin."""
    environ = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "QUANTINAL_BASE_URL": base_url,
        "QUANTINAL_API_TOKEN": TOKEN,
        "QUANTINAL_STATE": str(journal),
        "QUANTINAL_BUDGET_QUANTS": "50/day",
    }
    server = Server(await anyio.open_process(command(), env=environ, stderr=sys.stderr))
    await server.begin()
    return server


@dataclass
class Lane:
    """One tracker, triggered, killed, and triggered again; `ends` counts how that went."""

    sandbox: Sandbox
    base_url: str
    journal: Path
    tracker: Tracker
    rng: random.Random
    ends: Counter[str] = field(default_factory=Counter[str])
    told: dict[str, float] = field(default_factory=dict[str, float])

    def since(self, before: set[str]) -> list[str]:
        """The runs that were begun since then."""
        return [run_id for run_id in self.tracker.runs if run_id not in before]

    def kept(self) -> list[tuple[Any, ...]]:
        """What the journal holds of the latest triggers, for who has to find out what went wrong."""
        told = "intent_id, state, sync, run_id, match, begun_at, unknown_at, answered_at"
        latest = f"SELECT {told} FROM intents WHERE tracker_id = ? ORDER BY begun_at DESC LIMIT 4"  # noqa: S608
        with closing(sqlite3.connect(self.journal)) as db:
            return db.execute(latest, (self.tracker.tracker_id,)).fetchall()

    async def go(self, kills: int) -> None:
        """Each server repeats what the one before it was killed over, and is killed over the next trigger."""
        dies = await begun(self.base_url, self.journal)
        for number in range(kills):
            sync = number % 2 == 0
            fault = self.rng.choice(FAULTS)
            if fault:
                path = rf"/trackers/{self.tracker.tracker_id}/runs$"
                self.sandbox.faults.add(Fault("POST", path, **fault))
            before = set(self.tracker.runs)
            steer = {"sandbox": {"seconds": self.rng.choice([0.2, 1.5, 3.0]), "fail": False}}
            arguments: Json = {"tracker_id": self.tracker.tracker_id, "sync": sync, "context": steer}
            delay = self.rng.choice([0.1, 0.3, 1.0, LONGEST]) * self.rng.random()
            with anyio.move_on_after(delay) as life:
                answer = await dies.call("trigger_run", **arguments)
                assert not answer["isError"], answer["content"][0]["text"]
                assert answer["structuredContent"]["run_id"] not in before
            await dies.kill()
            self.ends["killed before its answer" if life.cancelled_caught else "killed after its answer"] += 1
            self.ends["killed after the service had begun it"] += len(self.since(before))
            dies = await begun(self.base_url, self.journal)
            await self.repeat(dies, arguments, before)
        await dies.kill()

    async def repeat(self, repeats: Server, arguments: Json, before: set[str]) -> None:
        result = await repeats.call("trigger_run", **arguments)
        assert len(self.since(before)) <= 1, "paid twice"
        if is_unknown := result["isError"]:
            text = result["content"][0]["text"]
            assert text.startswith("[outcome_unknown]"), text
            self.ends["outcome unknown"] += 1
            result = await repeats.call("trigger_run", **arguments)
            assert not result["isError"], result["content"][0]["text"]
        begun, told = self.since(before), result["structuredContent"]["run_id"]
        if begun and not (is_unknown and told in before):
            self.ends["told the run"] += 1
            assert begun == [told], (dict(self.ends), told in before, self.kept())
        else:
            # Killed before anything was sent, or given up before its run showed up: this is the run of a round before,
            # which was read elsewhere.
            self.ends["told the run before"] += 1
            assert told in before
            assert "NO NEW RUN was started or charged" in result["structuredContent"]["note"]
        of_tracker = {"tracker_id": arguments["tracker_id"]}
        ended = await repeats.call("wait_for_run", **of_tracker, run_id=told, wait_seconds=30)
        assert ended["structuredContent"]["status"] == "completed"
        self.told[told] = anyio.current_time()
        for read, told_at in self.told.items():  # what was read elsewhere is not known to this server
            if anyio.current_time() - told_at < UNREAD_SECONDS:
                await repeats.call("get_run", **of_tracker, run_id=read)


async def test_no_kill_makes_a_run_be_paid_twice_and_each_repeat_ends_with_it_or_with_an_unknown_outcome(
    tmp_path: Path,
) -> None:
    sandbox = Sandbox(listing_delay=1.0, sync_limit=1.0, rate_limits=False, balance=1000)
    lanes: list[Lane] = []
    async with sandbox.serve() as base_url, in_process(sandbox) as service:
        for number in range(LANES):
            made = await service.post(f"/api/spaces/{SPACE}/trackers", json=tracker_body(name=f"Lane {number}"))
            tracker = tracker_of(sandbox, made.json()["tracker_id"])
            lanes.append(Lane(sandbox, base_url, tmp_path / "journal.db", tracker, random.Random(number)))  # noqa: S311
        async with anyio.create_task_group() as tasks:
            for lane in lanes:
                tasks.start_soon(lane.go, KILLS // LANES)
    ends = sum((lane.ends for lane in lanes), Counter[str]())
    print(dict(ends))  # noqa: T201 - what a reader of the slow tests wants to know
    assert ends["killed before its answer"] + ends["killed after its answer"] == KILLS // LANES * LANES
    assert ends["killed before its answer"] >= KILLS // 2
    assert ends["killed after the service had begun it"] >= KILLS // 3
