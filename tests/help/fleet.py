"""A fleet: replicas as processes behind a real nginx, whose journal is in a real PostgreSQL."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import httpx
from anyio.abc import Process

from help.eras import Mode
from help.nginx import nginx
from help.over_http import Wire, opened, plain, text_of
from help.postgres import Postgres, free_port
from help.seeded import TESLA, TOKEN, Json, tracker_body
from help.services import in_process
from quantinal_mcp.sandbox import Sandbox


@dataclass
class Replica:
    """One server of the fleet, which keeps its address while it comes and goes."""

    port: int
    environ: dict[str, str]
    log: Path
    running: Process | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        command = [sys.executable, "-m", "quantinal_mcp", "serve", "--transport", "http", "--port", str(self.port)]
        environ = {"PYTHONPATH": os.pathsep.join(sys.path), "QUANTINAL_LOG_LEVEL": "INFO", **self.environ}
        with self.log.open("ab") as log:
            self.running = await anyio.open_process(command, env=environ, stdout=log, stderr=log, stdin=None)

    async def is_ready(self) -> bool:
        assert self.running is not None
        assert self.running.returncode is None, self.log.read_text()
        try:
            async with plain() as http:
                return (await http.get(f"{self.url}/ready")).status_code == 200
        except httpx.TransportError:
            return False

    async def until_ready(self) -> None:
        with anyio.fail_after(30):
            while not await self.is_ready():  # noqa: ASYNC110 - in another process
                await anyio.sleep(0.1)

    async def end(self, *, kill: bool = False) -> None:
        """End it as an operator does, or as nobody should."""
        if self.running is not None and self.running.returncode is None:
            (self.running.kill if kill else self.running.terminate)()
            await self.running.wait()


@dataclass
class Fleet:
    """Three replicas behind an nginx, whose journal is in a database of their own."""

    url: str
    sandbox: Sandbox
    postgres: Postgres
    database: str
    replicas: list[Replica] = field(default_factory=list[Replica])

    def journal(self, query: str) -> list[Any]:
        return self.postgres.execute(self.database, query)


@asynccontextmanager
async def fleet(
    sandbox: Sandbox, postgres: Postgres, folder: Path, size: int = 3, **settings: str
) -> AsyncGenerator[Fleet]:
    """Start a fleet, and end whatever is left of it."""
    address = postgres.database()
    async with AsyncExitStack() as stack:
        service = await stack.enter_async_context(sandbox.serve())
        environ = {"QUANTINAL_BASE_URL": service, "QUANTINAL_STATE": address, **settings}
        replicas = [Replica(free_port(), environ, folder / f"replica-{number}.log") for number in range(size)]
        try:
            for replica in replicas:  # at once: one of them makes the journal
                await replica.start()
            for replica in replicas:
                await replica.until_ready()
            url = await stack.enter_async_context(nginx([replica.port for replica in replicas]))
            yield Fleet(url, sandbox, postgres, address.rpartition("/")[2], replicas)
        finally:
            with anyio.CancelScope(shield=True):
                for replica in replicas:
                    await replica.end(kill=True)
    for replica in replicas:
        assert "Traceback" not in replica.log.read_text(), replica.log.read_text()


def lasting(seconds: float) -> Json:
    return {"tracker_id": TESLA, "context": {"sandbox": {"seconds": seconds, "fail": False}}}


def created(sandbox: Sandbox, token: str | None = None) -> list[str]:
    return [run["run_id"] for run in sandbox.runs(token) if run["internal"]["origin"] == "api"]


def run_of(result: Json) -> str:
    assert not result["isError"], text_of(result)
    return result["structuredContent"]["run_id"]


async def trackers(sandbox: Sandbox, token: str, many: int) -> list[str]:
    """New trackers of that account, whose runs are estimated at 0.012 quants."""
    async with in_process(sandbox, token) as service:
        space = (await service.get("/api/spaces")).json()["data"][0]["space_id"]
        made = [await service.post(f"/api/spaces/{space}/trackers", json=tracker_body()) for _ in range(many)]
    return [one.json()["tracker_id"] for one in made]


async def wire(url: str, mode: Mode, token: str = TOKEN) -> Wire:
    return await opened(url, token) if mode == "legacy" else Wire(url, token)
