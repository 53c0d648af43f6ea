"""Callers who are cancelled or have to wait, at any step of a trigger: its run is told once more, never paid again."""

from __future__ import annotations

import itertools
import json
import os
from typing import Any

import anyio
import pytest

from help.callers import memory_journal, tracker_of
from help.seeded import TESLA, UNUSED
from help.steps import STEER, Scene, Steps, stepping, trigger
from quantinal_mcp.accounts.account import Account
from quantinal_mcp.errors import AlreadyRunning, OutcomeUnknown
from quantinal_mcp.money.budget import Budget
from quantinal_mcp.money.ceilings import Ceilings
from quantinal_mcp.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio


EVERY = int(os.environ.get("CANCEL_EVERY", "4"))

ways = pytest.mark.parametrize(("fault", "sync"), [("answered", True), ("dropped", False), ("late", True)])


async def interrupted(account: Account, steps: Steps, at: int, **order: Any) -> bool:
    """Trigger, and cancel it at that step; whether it came so far."""
    with anyio.CancelScope() as scope:
        steps.taken, steps.at, steps.then = 0, at, scope.cancel
        await trigger(account, context=STEER, **order)
    steps.at = 0
    return steps.taken >= at


@ways
async def test_a_call_that_is_cancelled_at_any_step_leaves_its_run_to_the_next(fault: str, sync: bool) -> None:
    scene, at = Scene(fault), 0
    for at in itertools.count(1, EVERY):
        await scene.begin()
        journal, steps = memory_journal(), Steps()
        async with stepping(scene.sandbox, journal, steps, Ceilings(budget=Budget(1))) as account:
            if not await interrupted(account, steps, at, sync=sync):
                break
            outcome = await trigger(account, sync=sync)
            assert scene.created() == [outcome.run["run_id"]], at
            (record,) = await journal.intents(None, 0)
            assert (record.run_id, record.owner, record.answered_at is None) == (outcome.run["run_id"], None, False), at
            assert await account.triggers.budget_left() == pytest.approx(0.98)
    assert at > 20


@ways
async def test_a_take_over_that_is_cancelled_at_any_step_gives_the_trigger_back(fault: str, sync: bool) -> None:
    scene, at = Scene(fault), 0
    for at in itertools.count(1, EVERY):
        await scene.begin()
        journal, steps = memory_journal(), Steps()
        async with stepping(scene.sandbox, journal, steps) as account:
            with anyio.move_on_after(1):
                await trigger(account, sync=True, context=STEER)
            if not await interrupted(account, steps, at, sync=sync):
                break
            outcome = await trigger(account, sync=sync)
            assert outcome.took_over, at
            assert scene.created() == [outcome.run["run_id"]], at
            (record,) = await journal.intents(None, 0)
            assert (record.owner, record.answered_at is None) == (None, False), at
    assert at > 5


async def test_a_take_over_by_one_who_does_not_own_it_leaves_it_to_its_owner() -> None:
    sandbox, journal = Sandbox(sync_limit=2), memory_journal()
    async with stepping(sandbox, journal) as account, anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: trigger(account, sync=True, context=STEER, wait=60))
        await anyio.sleep(5)
        with anyio.move_on_after(1):
            await trigger(account, sync=True)
        (record,) = await journal.intents(None, 0)
        assert (record.state, record.owner) == ("known", journal.worker)


async def test_a_run_that_is_certainly_anothers_is_not_told_as_this_ones() -> None:
    sandbox, journal = Sandbox(), memory_journal()
    async with stepping(sandbox, journal) as account:
        first = await trigger(account)
        answer = json.dumps({"run_id": first.run["run_id"], "status": "pending", "tracker_id": TESLA})
        sandbox.faults.add(Fault("POST", r"/runs$", "status", code=202, body=answer))
        with pytest.raises(OutcomeUnknown):
            await trigger(account, again=True)
        records = await journal.intents(None, 0)
        found = {record.state: record.run_id for record in records}
        assert found == {"known": first.run["run_id"], "lost": None}


async def test_a_call_waits_for_its_turn_within_its_own_time() -> None:
    sandbox, journal = Sandbox(), memory_journal()
    async with stepping(sandbox, journal) as account, anyio.create_task_group() as tasks:

        async def hold() -> None:
            async with journal.exclusive(account.id, TESLA):
                await anyio.sleep(100)

        tasks.start_soon(hold)
        await anyio.sleep(0.1)
        started = anyio.current_time()
        with pytest.raises(AlreadyRunning, match="changing or triggering this tracker"):
            await trigger(account, wait=7)
        assert anyio.current_time() - started == pytest.approx(7, abs=0.5)
        assert (await journal.intents(None, 0), sandbox.count("POST", r"/runs$")) == ([], 0)
        tasks.cancel_scope.cancel()


async def test_a_call_waits_for_another_processs_trigger_within_its_own_time() -> None:
    sandbox, journal = Sandbox(sync_limit=1e9), memory_journal()
    long = {"sandbox": {"seconds": 60, "fail": False}}
    async with (
        stepping(sandbox, journal) as one,
        stepping(sandbox, journal) as other,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(lambda: trigger(one, sync=True, wait=100, context=long))
        await anyio.sleep(3)
        started = anyio.current_time()
        with anyio.fail_after(30), pytest.raises(AlreadyRunning, match="its run is not known yet"):
            await trigger(other, wait=7)
        assert anyio.current_time() - started == pytest.approx(7, abs=0.5)
        assert sandbox.count("POST", r"/runs$") == 1
        tasks.cancel_scope.cancel()


async def test_a_trigger_whose_caller_left_is_told_once_the_process_that_sends_it_has_its_answer() -> None:
    sandbox, journal = Sandbox(sync_limit=1e9), memory_journal()
    async with stepping(sandbox, journal) as one, stepping(sandbox, journal) as other:
        with anyio.move_on_after(2) as left:
            await trigger(one, sync=True, wait=100, context=STEER)
        assert left.cancelled_caught
        outcome = await trigger(other, wait=20)
        assert (outcome.took_over, outcome.run["status"], outcome.intent.match) == (True, "completed", "certain")
        assert sandbox.count("POST", r"/runs$") == 1


async def test_what_a_run_was_charged_is_booked_although_the_one_who_read_it_left_meanwhile() -> None:
    sandbox, scope = Sandbox(), anyio.CancelScope()

    def leave(asked: str) -> None:
        if asked == "settle":
            scope.cancel()

    ceilings = Ceilings(budget=Budget(5))
    async with stepping(sandbox, memory_journal(), ceilings=ceilings, asked=leave) as account:
        run_id = (await trigger(account, context=STEER)).run["run_id"]
        await anyio.sleep(30)
        tracker_of(sandbox).runs[run_id].cost = 1.0
        with scope:
            await account.runs.get(TESLA, run_id)
        assert scope.cancelled_caught
        assert await account.triggers.budget_left() == 5 - 1


async def test_what_another_process_reserved_is_free_again_once_its_charge_was_seen() -> None:
    sandbox, journal = Sandbox(skills_forbidden=True), memory_journal()
    ceilings = Ceilings(budget=Budget(5))
    async with stepping(sandbox, journal, ceilings=ceilings) as one:
        await trigger(one, tracker_id=UNUSED, max_quants=4.99, context=STEER)
    await anyio.sleep(300)
    async with stepping(sandbox, journal, ceilings=ceilings) as two:
        await trigger(two, tracker_id=UNUSED, max_quants=0.1)
        assert await two.triggers.budget_left() == pytest.approx(5 - 2 * 0.02)
