"""One account's triggers without a server around them, so that something can happen between any two of their steps."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import anyio.lowlevel
import httpx

from help.seeded import TESLA, TOKEN
from quantinal_mcp.accounts.account import Account
from quantinal_mcp.client import Http
from quantinal_mcp.journal.protocol import Journal
from quantinal_mcp.journal.sqlite import SqliteJournal
from quantinal_mcp.money.ceilings import Ceilings
from quantinal_mcp.runs.orders import Order, Outcome
from quantinal_mcp.sandbox import Fault, Sandbox

STEER: dict[str, Any] = {"sandbox": {"seconds": 6, "fail": False}}
FAULTS: dict[str, dict[str, Any]] = {
    "answered": {},
    "dropped": {"kind": "drop_after"},
    "late": {"kind": "hang_after", "seconds": 4},
}

_STEPS = {"begin", "of", "get", "take", "move", "claim", "settle", "committed", "spend"}


class Scene:
    """A service that goes through one trigger after another, each with the same fault."""

    def __init__(self, fault: str) -> None:
        self.sandbox = Sandbox(sync_limit=3)
        self._fault = FAULTS[fault]
        self._before: list[str] = []

    async def begin(self) -> None:
        await anyio.sleep(300)
        self._before = self._runs()
        self.sandbox.faults.clear()
        if self._fault:
            self.sandbox.faults.add(Fault("POST", r"/runs$", **self._fault))

    def created(self) -> list[str]:
        """The runs that the service began since then."""
        return [run_id for run_id in self._runs() if run_id not in self._before]

    def _runs(self) -> list[str]:
        return [run["run_id"] for run in self.sandbox.runs() if run["internal"]["origin"] == "api"]


class Steps:
    """Counts the steps of one process, and does something at one of them."""

    def __init__(self, at: int = 0, then: Callable[[], None] = lambda: None) -> None:
        self.taken = 0
        self.at = at
        self.then = then

    def __call__(self) -> None:
        self.taken += 1
        if self.taken == self.at:
            self.then()


class _Journal:
    """A journal each of whose methods is two steps: before it, and after it; the first may raise."""

    def __init__(self, journal: SqliteJournal, step: Callable[[], None], asked: Callable[[str], None]) -> None:
        self._journal = journal
        self._step = step
        self._asked = asked

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._journal, name)
        if name not in _STEPS:
            return method

        async def stepped(*arguments: Any, **named: Any) -> Any:
            self._step()
            self._asked(name)
            result = await method(*arguments, **named)
            self._step()
            await anyio.lowlevel.checkpoint()  # where a database answers over a network, it has committed by now
            return result

        return stepped


class _Way(httpx.AsyncBaseTransport):
    """The way to a sandbox: a step before each request, and one after it."""

    def __init__(self, sandbox: Sandbox, step: Callable[[], None]) -> None:
        self._way = sandbox.transport()
        self._step = step

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._step()
        response = await self._way.handle_async_request(request)
        self._step()
        return response


def _no_step(*_: str) -> None: ...


@asynccontextmanager
async def stepping(
    sandbox: Sandbox,
    journal: SqliteJournal,
    step: Callable[[], None] = _no_step,
    ceilings: Ceilings | None = None,
    asked: Callable[[str], None] = _no_step,
) -> AsyncGenerator[Account]:
    """An account as one process has it; `asked` is told what the journal is asked for, and may raise."""
    http = Http("http://sandbox/v1", _Way(sandbox, step))
    async with anyio.create_task_group() as tasks:
        yield Account(http, TOKEN, tasks, cast("Journal", _Journal(journal, step, asked)), ceilings or Ceilings())
        tasks.cancel_scope.cancel()
    with anyio.CancelScope(shield=True):
        await http.aclose()


async def _nothing(*_: object) -> None: ...


async def trigger(
    account: Account,
    *,
    wait: float = 20.0,
    spend: Callable[[], Awaitable[None]] = _nothing,
    tracker_id: str = TESLA,
    **order: Any,
) -> Outcome:
    """Do what `trigger_run` does, within `wait` seconds."""
    wanted = Order(tracker_id, **order)
    deadline = anyio.current_time() + wait
    plan = await account.triggers.plan(wanted, deadline)
    return await account.triggers.carry_out(
        plan, wanted, is_agreed=False, spend=spend, deadline=deadline, tell=_nothing
    )
