"""Cancelling a trigger at each of its steps in turn: whoever calls next gets its run, and nothing is paid twice."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from functools import partial
from itertools import count
from typing import Any

import anyio
import pytest
import trio
from mcp_types import CallToolResult
from trio.testing import MockClock

from help.callers import Caller, connected, gather, text_of
from help.eras import Mode, both_eras
from help.seeded import TESLA
from quantinal_mcp.sandbox import Sandbox

pytestmark = pytest.mark.timeout(600)

EVERY = int(os.environ.get("CANCEL_EVERY", "8"))
"""Break off at every so many steps."""
CONTEXT = {"sandbox": {"seconds": 20, "fail": False}}


class After(trio.abc.Instrument):
    """Cancels a scope once the event loop has taken so many steps in it."""

    def __init__(self, steps: int, scope: anyio.CancelScope) -> None:
        self._left = steps
        self._scope = scope

    def before_task_step(self, task: trio.lowlevel.Task) -> None:  # noqa: ARG002
        self._left -= 1
        if self._left == 0:
            self._scope.cancel()


async def broken_off(caller: Caller, steps: int, **arguments: Any) -> bool:
    """Trigger, cancel that after so many steps, and return whether it was answered before."""
    with anyio.CancelScope() as scope:
        after = After(steps, scope)
        trio.lowlevel.add_instrument(after)
        try:
            await caller.trigger(context=CONTEXT, **arguments)
        finally:
            trio.lowlevel.remove_instrument(after)
    return not scope.cancelled_caught


async def orphaned(caller: Caller) -> None:
    """Leave a trigger behind whose caller has gone while it waited."""
    with anyio.move_on_after(5):
        await caller.trigger(sync=True, context=CONTEXT)
    await anyio.sleep(1)


async def only_run_of(caller: Caller, result: CallToolResult) -> None:
    """What was answered is the one run that was ever begun."""
    assert not result.is_error, text_of(result)
    answer: Any = result.structured_content
    ours = [run["run_id"] for run in caller.sandbox.runs() if run["internal"]["origin"] == "api"]
    assert (ours, caller.posts) == ([answer["run_id"]], 1)


async def next_caller(mode: Mode, steps: int, *, sync: bool, is_orphan: bool, later: float = 0.0) -> bool:
    """Break one call off and let another follow; return whether the first was broken off."""
    async with connected(Sandbox(sync_limit=10), mode) as caller:
        if is_orphan:
            await orphaned(caller)
        if await broken_off(caller, steps, sync=sync):
            return False
        await anyio.sleep(later)
        await only_run_of(caller, await caller.result("trigger_run", tracker_id=TESLA, sync=sync))
    return True


async def two_callers(mode: Mode, steps: int, *, sync: bool) -> bool:
    """Break one of two calls off that take over at once; return whether it was."""
    went_on: list[bool] = []

    async def leave(caller: Caller) -> None:
        went_on.append(not await broken_off(caller, steps, sync=sync))

    async with connected(Sandbox(sync_limit=10), mode) as caller:
        await orphaned(caller)
        _, told = await gather(lambda: leave(caller), lambda: caller.result("trigger_run", tracker_id=TESLA, sync=sync))
        assert isinstance(told, CallToolResult)
        await only_run_of(caller, told)
    return went_on[0]


def at_each_step(play: Callable[[int], Awaitable[bool]]) -> int:
    """Play it again and again, each time broken off later, until it is through; return how many steps it has."""
    for steps in count(1, EVERY):
        if not trio.run(play, steps, clock=MockClock(autojump_threshold=0)):
            return steps
    raise AssertionError


@both_eras
@pytest.mark.parametrize("sync", [True, False])
@pytest.mark.parametrize("is_orphan", [False, True])
def test_a_call_broken_off_at_any_step_leaves_its_run_to_the_next(mode: Mode, sync: bool, is_orphan: bool) -> None:
    assert at_each_step(partial(next_caller, mode, sync=sync, is_orphan=is_orphan)) > 15


def test_a_take_over_broken_off_at_any_step_is_not_forgotten_within_the_hour() -> None:
    assert at_each_step(partial(next_caller, "auto", sync=True, is_orphan=True, later=3600.0)) > 15


@both_eras
def test_of_two_who_take_over_at_once_one_may_leave_at_any_step(mode: Mode) -> None:
    assert at_each_step(partial(two_callers, mode, sync=True)) > 15
