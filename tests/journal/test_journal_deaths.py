"""Processes that die at any step of a trigger, or at any moment beside others: nothing is paid twice, nothing lost."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import anyio
import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from help.callers import EPOCH, shared_memory
from help.journals import let_go, sharing
from help.steps import STEER, stepping, trigger
from quantinal_mcp.accounts.account import Account
from quantinal_mcp.errors import AlreadyRunning, InsufficientQuants, OutcomeUnknown, OverBudget
from quantinal_mcp.journal.database import Database
from quantinal_mcp.money.budget import Budget
from quantinal_mcp.money.ceilings import Ceilings
from quantinal_mcp.runs.orders import Outcome
from quantinal_mcp.sandbox import Fault, Sandbox

COST = 0.02
BUDGET = 0.1
EXAMPLES = int(os.environ.get("INTERLEAVINGS", "25"))


class _Dead(BaseException):
    """Nothing that this process does has any effect any more."""


class Process:
    """One of several processes of one user, which may die."""

    def __init__(self, sandbox: Sandbox, store: Database, folder: Path) -> None:
        self.journal = sharing(store, folder, lambda: EPOCH + anyio.current_time())
        self.steps = 0
        self.dies_at = 0
        self._sandbox = sandbox
        self._is_dead = False
        self._life = anyio.CancelScope()

    def step(self) -> None:
        self.steps += 1
        if self.steps == self.dies_at:
            self.die()
        if self._is_dead:
            raise _Dead

    def die(self) -> None:
        if not self._is_dead:
            self._is_dead = True
            let_go(self.journal)
            self._life.cancel()

    async def live(self, work: Callable[[Account], Awaitable[None]]) -> None:
        """Do something until it is done, or this process dies."""
        ceilings = Ceilings(budget=Budget(BUDGET, "month"))
        try:
            with self._life:
                async with stepping(self._sandbox, self.journal, self.step, ceilings) as account:
                    await work(account)
        except* _Dead:
            pass
        finally:
            let_go(self.journal)


def created(sandbox: Sandbox) -> list[Any]:
    return [run for run in sandbox.runs() if run["internal"]["origin"] == "api"]


FAULTS: dict[str, dict[str, Any]] = {
    "answered": {},
    "dropped": {"kind": "drop_after"},
    "late": {"kind": "hang_after", "seconds": 4},
    "unheard": {"kind": "drop_before"},
    "504": {"kind": "act_then_status", "code": 504, "body": '{"detail": "x", "error_code": "RUNNER_SYNC_TIMEOUT"}'},
    "402": {"kind": "status", "code": 402, "body": '{"detail": "No quants"}'},
}


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "trio", {"clock": MockClock(autojump_threshold=0)}


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("fault", "sync", "lag"),
    [
        ("answered", False, 3.0),
        ("dropped", False, 0.0),
        pytest.param("answered", True, 0.0, marks=pytest.mark.slow),
        pytest.param("dropped", True, 3.0, marks=pytest.mark.slow),
        pytest.param("late", True, 0.0, marks=pytest.mark.slow),
    ],
)
@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_whichever_step_a_process_dies_at_the_next_one_tells_its_run(
    tmp_path: Path, fault: str, sync: bool, lag: float
) -> None:
    sandbox, at = Sandbox(sync_limit=3, listing_delay=lag), 0
    for at in itertools.count(1):
        await anyio.sleep(300)
        store = shared_memory()
        before = len(created(sandbox))
        sandbox.faults.clear()
        if FAULTS[fault]:
            sandbox.faults.add(Fault("POST", r"/runs$", **FAULTS[fault]))
        first, told = Process(sandbox, store, tmp_path), list[Outcome]()
        first.dies_at = at

        async def once(account: Account) -> None:
            await trigger(account, sync=sync, context=STEER)

        async def until_told(account: Account) -> None:
            for _ in range(3):
                try:
                    told.append(await trigger(account, sync=sync, context=STEER))  # noqa: B023
                except OutcomeUnknown:
                    continue
                return

        await first.live(once)
        if first.steps < at:
            break
        await Process(sandbox, store, tmp_path).live(until_told)
        assert [run["run_id"] for run in created(sandbox)[before:]] == [told[0].run["run_id"]], at
    assert at > 20


@dataclass(frozen=True)
class Call:
    """One process starts, triggers, and perhaps dies."""

    after: float
    sync: bool
    fault: Literal["answered", "dropped", "late", "unheard", "504", "402"]
    seconds: float
    gives_up_after: float | None
    dies_after: float | None


calls = st.lists(
    st.builds(
        Call,
        after=st.sampled_from([0.0, 0.0, 0.3, 2.0, 9.0]),
        sync=st.booleans(),
        fault=st.sampled_from(["answered", "answered", "dropped", "late", "unheard", "504", "402"]),
        seconds=st.sampled_from([0.1, 5.0, 60.0]),
        gives_up_after=st.sampled_from([None, None, 0.5, 5.0]),
        dies_after=st.sampled_from([None, None, 0.0, 0.2, 1.5, 6.0, 15.0]),
    ),
    min_size=2,
    max_size=7,
)


async def play(script: list[Call], lag: float, sync_limit: float, folder: Path) -> None:
    sandbox = Sandbox(listing_delay=lag, sync_limit=sync_limit)
    store = shared_memory()
    told: list[str] = []

    async def process(call: Call) -> None:
        mortal = Process(sandbox, store, folder)

        async def work(account: Account) -> None:
            steer = {"sandbox": {"seconds": call.seconds, "fail": False}}
            with anyio.move_on_after(call.gives_up_after or 1e6):
                with suppress(OutcomeUnknown, AlreadyRunning, InsufficientQuants, OverBudget):
                    told.append((await trigger(account, sync=call.sync, context=steer)).run["run_id"])

        async with anyio.create_task_group() as tasks:
            if call.dies_after is not None:

                async def end() -> None:
                    await anyio.sleep(call.dies_after or 0)
                    mortal.die()

                tasks.start_soon(end)
            await mortal.live(work)
            tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        for call in script:
            await anyio.sleep(call.after)
            if fault := FAULTS[call.fault]:
                sandbox.faults.add(Fault("POST", r"/runs$", **fault))
            tasks.start_soon(process, call)
    sandbox.faults.clear()
    posts = sandbox.count("POST", r"/runs$")
    assert posts <= len(script)
    await anyio.sleep(300)
    runs = created(sandbox)
    for run, other in itertools.permutations(runs, 2):
        times = run["internal"]
        assert not other["internal"]["created_at"] < times["created_at"] < other["internal"]["ends_at"]
    assert len(runs) * COST <= BUDGET + 1e-9

    async def collect(account: Account) -> None:
        """Trigger until nothing of an earlier one is left: by then every run there was has been told."""
        for _ in range(20):
            try:
                outcome = await trigger(account)
            except OutcomeUnknown:
                continue
            except OverBudget:
                return
            told.append(outcome.run["run_id"])
            if not outcome.took_over:
                return
            account.triggers.named(outcome.run["run_id"])
        pytest.fail("earlier triggers never come to an end")

    await Process(sandbox, store, folder).live(collect)
    assert {run["run_id"] for run in runs} <= set(told)


@pytest.mark.slow
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None)
@given(calls, st.sampled_from([0.0, 3.0]), st.sampled_from([2.0, 1e9]))
def test_no_deaths_of_several_processes_pay_twice_or_lose_a_run_or_overrun_the_budget(
    script: list[Call], lag: float, sync_limit: float
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        trio.run(play, script, lag, sync_limit, Path(folder), clock=MockClock(autojump_threshold=0))
