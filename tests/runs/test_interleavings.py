"""Any interleaving of triggers, faults, cancellations and clocks: nothing is paid twice, lost, or over the budget."""

from __future__ import annotations

import os
from collections import Counter
from datetime import datetime, timedelta
from typing import Any, Literal

import anyio
import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from trio.testing import MockClock

from help.callers import Caller, connected, text_of, tracker_of
from help.following import Following
from help.seeded import TESLA, steer
from quantinal_mcp.money.budget import Budget
from quantinal_mcp.sandbox import Fault, Sandbox

COST = 0.02
EXAMPLES = int(os.environ.get("INTERLEAVINGS", "30"))
BUDGET = 0.1


class Step(BaseModel):
    """One thing that happens: somebody triggers (and perhaps gives up), the schedule begins a run, or somebody makes
    the tracker dear in the console, or cheap again. A call that is a `task` may be answered with one."""

    after: float
    kind: Literal["trigger", "schedule", "console"]
    task: bool
    sync: bool
    again: bool
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
        kind=st.sampled_from(["trigger", "trigger", "trigger", "trigger", "schedule", "console"]),
        task=st.sampled_from([False, False, True]),
        sync=st.booleans(),
        again=st.booleans(),
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


class Play:
    """What happened: which runs callers learnt, and which they were told to have begun themselves."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.learnt: list[str] = []
        self.begun: list[str] = []
        self.told: list[tuple[str, datetime]] = []

    async def trigger(self, **arguments: Any) -> str:
        """Call trigger_run, and return the note or the error's code."""
        result = await self.caller.result("trigger_run", tracker_id=TESLA, **arguments)
        if result.is_error:
            code = text_of(result).split()[0]
            assert code != "[invalid_request]", text_of(result)  # what is refused here would be played for nothing
            return code
        answer: Any = result.structured_content
        self.learnt.append(answer["run_id"])
        self.told.append((answer["run_id"], self.caller.sandbox.world.clock.now()))
        if "NO NEW RUN was started or charged" not in answer.get("note", ""):
            self.begun.append(answer["run_id"])
        return str(answer.get("note", ""))

    async def step(self, step: Step) -> None:
        how: dict[str, Any] = {"context": {**steer(step.seconds), "another": step.again}}
        if not step.task:
            how["wait_seconds"] = 20
        with anyio.move_on_after(step.gives_up_after if step.gives_up_after is not None else 1e6):
            await self.trigger(sync=step.sync, again=step.again, **how)


async def play(script: list[Step], world: World) -> None:
    sandbox = Sandbox(
        listing_delay=world.listing_delay,
        shuffle_lists=world.shuffle,
        clock_skew=world.clock_skew,
        sync_limit=world.sync_limit,
    )
    following = [Following()]
    async with connected(sandbox, budget_quants=Budget(BUDGET, "month"), extensions=following) as caller:
        scene = Play(caller)
        sandbox.faults.add(Fault("GET", r"/runs$", "status", code=503, times=world.list_failures, skip=3))
        async with anyio.create_task_group() as tasks:
            for step in script:
                await anyio.sleep(step.after)
                if step.kind == "schedule":
                    sandbox.begin_run(TESLA, "scheduled")
                    continue
                if step.kind == "console":
                    config = tracker_of(sandbox).settings["agent_config"]
                    config["reasoning_mode"] = "basic" if config["reasoning_mode"] == "super" else "super"
                    continue
                if (fault := fault_of(step)) is not None:
                    sandbox.faults.add(fault)
                tasks.start_soon(scene.step, step)
        limited = sum(step.fault == "429" for step in script)
        assert caller.posts <= len(script) + limited
        sandbox.faults.clear()
        told = list(scene.told)
        await anyio.sleep(300)
        await collect(scene)
    assert max(Counter(scene.begun).values(), default=1) == 1
    assert {run["run_id"] for run in ours(sandbox)} <= set(scene.learnt)
    assert all(run["internal"]["cost"] == COST for run in ours(sandbox))
    assert len(ours(sandbox)) * COST <= BUDGET + 1e-9
    for run in ours(sandbox):
        context: dict[str, Any] = run["internal"]["context"] or {}
        if not context.get("another"):
            assert not [other["run_id"] for other in ours(sandbox) if was_going(other, when=run)]
            assert not [run_id for run_id, when in told if is_unread(when, run)]


def ours(sandbox: Sandbox) -> list[Any]:
    return [run for run in sandbox.runs() if run["internal"]["origin"] == "api"]


def was_going(run: Any, *, when: Any) -> bool:
    """Whether a run had begun and not ended when another one began."""
    begun, ended = run["internal"]["created_at"], run["internal"]["ends_at"]
    return run["run_id"] != when["run_id"] and begun < when["internal"]["created_at"] < ended


def is_unread(told: datetime, run: Any) -> bool:
    """Whether a run was begun so soon after an answer that the answer was perhaps not read."""
    return timedelta(0) < datetime.fromisoformat(run["internal"]["created_at"]) - told < timedelta(seconds=119)


async def collect(scene: Play) -> None:
    """Trigger, each time when all runs have ended and were read, until nothing of an earlier caller is left."""
    for _ in range(20):
        said = await scene.trigger()
        if said == "[over_budget]" or (said != "[outcome_unknown]" and "NO NEW RUN" not in said):
            return
        for run_id in scene.learnt:
            await scene.caller.raw("get_run", {"tracker_id": TESLA, "run_id": run_id})
        await anyio.sleep(300)
    pytest.fail("earlier triggers never come to an end")


@pytest.mark.timeout(60 + 6 * EXAMPLES)
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None)
@given(steps, worlds)
def test_no_interleaving_pays_twice_loses_a_run_or_overruns_the_budget(script: list[Step], world: World) -> None:
    trio.run(play, script, world, clock=MockClock(autojump_threshold=0))
