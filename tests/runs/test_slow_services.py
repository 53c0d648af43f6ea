"""However slow the service is, and in whatever: a call is over in its time, and ten seconds more at the longest."""

from __future__ import annotations

import os
from typing import Any, Literal

import anyio
import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from trio.testing import MockClock

from help.callers import Caller, connected, text_of
from help.seeded import TESLA
from quantinal_mcp.sandbox import Fault, Sandbox

EXAMPLES = int(os.environ.get("SLOW_SERVICES", "40"))
ASYNC_SECONDS = 45.0
GRACE_SECONDS = 10.0
MOMENT_SECONDS = 1.5
"""However little time a call is given, it may read the tracker and send its trigger."""

WHERE = {
    "tracker": ("GET", r"/trackers/[^/]+$"),
    "runs": ("GET", r"/runs$"),
    "run": ("GET", r"/runs/run_[^/]+$"),
    "skills": ("GET", r"/skills$"),
    "trigger": ("POST", r"/runs$"),
    "update": ("PATCH", r"/trackers/[^/]+$"),
}


class Trouble(BaseModel):
    """One way in which the service is slow or fails, after some requests that go well."""

    where: Literal["tracker", "runs", "run", "skills", "trigger", "update"]
    kind: Literal["hang_before", "hang_after", "slow_body", "status", "drop_before", "drop_after"]
    skip: int
    times: int | None
    seconds: float
    retry_after: bool

    def fault(self) -> Fault:
        headers = {"Retry-After": "7"} if self.retry_after else {}
        how: dict[str, Any] = {"skip": self.skip, "times": self.times, "seconds": self.seconds, "headers": headers}
        return Fault(*WHERE[self.where], self.kind, **how)


class Order(BaseModel):
    """One call."""

    after: float
    sync: bool
    again: bool
    wait_seconds: float
    is_update: bool


troubles = st.builds(
    Trouble,
    where=st.sampled_from(list(WHERE)),
    kind=st.sampled_from(["hang_before", "hang_after", "slow_body", "status", "drop_before", "drop_after"]),
    skip=st.integers(0, 3),
    times=st.sampled_from([1, 2, None]),
    seconds=st.sampled_from([3.0, 9.0, 20.0, 100.0]),
    retry_after=st.booleans(),
)
orders = st.builds(
    Order,
    after=st.sampled_from([0.0, 0.0, 1.0]),
    sync=st.sampled_from([True, True, False]),
    again=st.booleans(),
    wait_seconds=st.sampled_from([0.0, 1.0, 5.0, 20.0]),
    is_update=st.sampled_from([False, False, False, True]),
)


async def play(slow: list[Trouble], asked: list[Order], run_seconds: float, is_orphan: bool) -> None:
    context: dict[str, Any] = {"sandbox": {"seconds": run_seconds, "fail": False}}
    sandbox = Sandbox(sync_limit=1e9)

    async def call(caller: Caller, order: Order) -> None:
        await anyio.sleep(order.after)
        if order.is_update:
            await caller.result("update_tracker", tracker_id=TESLA, agent_config={"score_meaning": "Mood"})
            return
        started = anyio.current_time()
        how: dict[str, Any] = {"sync": order.sync, "again": order.again, "wait_seconds": order.wait_seconds}
        result = await caller.result("trigger_run", tracker_id=TESLA, context=context, **how)
        took = anyio.current_time() - started
        time = order.wait_seconds if order.sync else ASYNC_SECONDS
        assert took <= time + GRACE_SECONDS + MOMENT_SECONDS, text_of(result)

    async with connected(sandbox) as caller:
        if is_orphan:
            with anyio.move_on_after(3):
                await caller.trigger(sync=True, context=context)
        for one in slow:
            sandbox.faults.add(one.fault())
        async with anyio.create_task_group() as tasks:
            for order in asked:
                tasks.start_soon(call, caller, order)


@pytest.mark.timeout(60 + 6 * EXAMPLES)
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None)
@given(
    st.lists(troubles, min_size=1, max_size=4),
    st.lists(orders, min_size=1, max_size=3),
    st.sampled_from([1.0, 60.0]),
    st.booleans(),
)
def test_a_call_is_over_in_its_time(
    slow: list[Trouble], asked: list[Order], run_seconds: float, is_orphan: bool
) -> None:
    trio.run(play, slow, asked, run_seconds, is_orphan, clock=MockClock(autojump_threshold=0))
