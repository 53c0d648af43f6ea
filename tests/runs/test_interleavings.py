"""Any interleaving of triggers, faults, cancellations and clocks: nothing is paid twice, lost, or over the budget."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Literal

import anyio
import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from trio.testing import MockClock

from help.seeded import TESLA
from quantinal_mcp.accounts.account import Account, Accounts
from quantinal_mcp.client import Http
from quantinal_mcp.errors import OutcomeUnknown, OverBudget, QuantinalError
from quantinal_mcp.runs import trigger
from quantinal_mcp.sandbox import Fault, Sandbox

COST = 0.02
EXAMPLES = int(os.environ.get("INTERLEAVINGS", "30"))
BUDGET = 0.1


class Step(BaseModel):
    """One thing that happens: somebody triggers (and perhaps gives up), or the schedule begins a run."""

    after: float
    kind: Literal["trigger", "schedule"]
    sync: bool
    fault: Literal["none", "drop_before", "drop_after", "half", "504", "502 page", "429", "hang"]
    seconds: float
    gives_up_after: float | None


class World(BaseModel):
    """How the service behaves meanwhile."""

    listing_delay: float
    shuffle: bool
    clock_skew: float
    sync_limit: float
    list_failures: int


steps = st.lists(
    st.builds(
        Step,
        after=st.sampled_from([0.0, 0.0, 0.1, 1.0, 7.0]),
        kind=st.sampled_from(["trigger", "trigger", "trigger", "schedule"]),
        sync=st.booleans(),
        fault=st.sampled_from(["none", "none", "drop_before", "drop_after", "half", "504", "502 page", "429", "hang"]),
        seconds=st.sampled_from([0.1, 3.0, 30.0, 200.0]),
        gives_up_after=st.sampled_from([None, None, 0.05, 2.0, 9.0]),
    ),
    min_size=1,
    max_size=9,
)
worlds = st.builds(
    World,
    listing_delay=st.sampled_from([0.0, 0.0, 4.0]),
    shuffle=st.booleans(),
    clock_skew=st.sampled_from([0.0, 86_400.0, -86_400.0]),
    sync_limit=st.sampled_from([2.0, 1e9]),
    list_failures=st.integers(0, 4),
)


def fault_of(step: Step) -> Fault | None:
    page = "<html>Bad gateway</html>"
    where = ("POST", r"/runs$")
    return {
        "none": None,
        "drop_before": Fault(*where, "drop_before"),
        "drop_after": Fault(*where, "drop_after"),
        "half": Fault(*where, "half"),
        "504": Fault(*where, "act_then_status", code=504, body='{"error_code": "RUNNER_SYNC_TIMEOUT"}'),
        "502 page": Fault(*where, "act_then_status", code=502, body=page),
        "429": Fault(*where, "status", code=429, headers={"Retry-After": "2"}),
        "hang": Fault(*where, "hang_after", seconds=120),
    }[step.fault]


async def quiet(_message: str) -> None: ...


class Play:
    """What happened: which runs callers learnt, and from which kind of answer."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.learnt: list[str] = []
        self.calls = 0
        self.over_budget = 0

    async def trigger(self, *, sync: bool, seconds: float = 0.1) -> bool:
        """Do what trigger_run does, and return whether the run was taken over from an earlier caller."""
        self.calls += 1
        deadline = anyio.current_time() + 20
        ticket = await trigger.recall(self.account, TESLA, deadline)
        adopted = ticket is not None
        if ticket is None:
            ticket = await trigger.send(
                self.account,
                await trigger.quote(self.account, TESLA),
                sync=sync,
                context={"sandbox": {"seconds": seconds, "fail": False}},
                max_quants=None,
                deadline=deadline,
            )
        delivery = await trigger.follow(self.account, ticket, adopted=adopted, sync=sync, deadline=deadline, tell=quiet)
        self.learnt.append(delivery.run["run_id"])
        return adopted

    async def step(self, step: Step) -> None:
        with anyio.move_on_after(step.gives_up_after if step.gives_up_after is not None else 1e6):
            try:
                await self.trigger(sync=step.sync, seconds=step.seconds)
            except OverBudget:
                self.over_budget += 1
            except QuantinalError:
                pass


@asynccontextmanager
async def account_on(sandbox: Sandbox) -> AsyncGenerator[Account]:
    http = Http("http://sandbox/v1", sandbox.transport())
    async with anyio.create_task_group() as tasks:
        yield Accounts(http, tasks, budget=BUDGET).of("qapi_sandbox")
        tasks.cancel_scope.cancel()
    await http.aclose()


def created(sandbox: Sandbox) -> list[str]:
    return [run["run_id"] for run in sandbox.runs() if run["internal"]["origin"] == "api"]


async def play(script: list[Step], world: World) -> None:
    sandbox = Sandbox(
        listing_delay=world.listing_delay,
        shuffle_lists=world.shuffle,
        clock_skew=world.clock_skew,
        sync_limit=world.sync_limit,
    )
    async with account_on(sandbox) as account:
        scene = Play(account)
        sandbox.faults.add(Fault("GET", r"/runs$", "status", code=503, times=world.list_failures, skip=3))
        async with anyio.create_task_group() as tasks:
            for step in script:
                await anyio.sleep(step.after)
                if step.kind == "schedule":
                    sandbox.begin_run(TESLA, "scheduled")
                    continue
                if (fault := fault_of(step)) is not None:
                    sandbox.faults.add(fault)
                tasks.start_soon(scene.step, step)
        limited = sum(step.fault == "429" for step in script)
        assert sandbox.count("POST", r"/runs$") <= scene.calls + limited
        assert len(created(sandbox)) * COST <= BUDGET + 1e-9
        sandbox.faults.clear()
        await anyio.sleep(300)
        await collect(scene)
        assert max(Counter(scene.learnt).values(), default=1) == 1
        assert set(created(sandbox)) <= set(scene.learnt)
        assert len(created(sandbox)) * COST <= BUDGET + 1e-9


async def collect(scene: Play) -> None:
    """Trigger until nothing of an earlier caller is left."""
    for _ in range(20):
        try:
            if not await scene.trigger(sync=False):
                return
        except OutcomeUnknown:
            continue
        except OverBudget:
            return
    pytest.fail("earlier triggers never come to an end")


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None)
@given(steps, worlds)
def test_no_interleaving_pays_twice_loses_a_run_or_overruns_the_budget(script: list[Step], world: World) -> None:
    trio.run(play, script, world, clock=MockClock(autojump_threshold=0))
