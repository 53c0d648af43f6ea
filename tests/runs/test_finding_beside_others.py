"""Finding the run of a lost answer, whoever else triggers, waits or looks: each is told its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from help.callers import EPOCH, connected, gather, shared_memory
from help.inside import lose
from help.journals import sharing
from help.seeded import TESLA, steer
from help.steps import stepping, trigger
from quantinal_mcp.errors import OutcomeUnknown
from quantinal_mcp.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio


async def test_a_run_that_may_be_another_processs_is_told_once_that_knows_its_own(tmp_path: Path) -> None:
    sandbox, store = Sandbox(listing_delay=30, sync_limit=1e9), shared_memory()
    sandbox.faults.add(lose())
    first, other = (sharing(store, tmp_path, lambda: EPOCH + anyio.current_time()) for _ in range(2))
    async with stepping(sandbox, first) as one, stepping(sandbox, other) as two:
        with pytest.raises(OutcomeUnknown):
            await trigger(one, wait=1, sync=True, context=steer(1))
        await anyio.sleep(10)

        async def repeat() -> None:
            await anyio.sleep(15)
            with pytest.raises(OutcomeUnknown):
                await trigger(one)

        theirs, _ = await gather(lambda: trigger(two, wait=200, again=True, sync=True, context=steer(100)), repeat)
        assert theirs is not None
        await anyio.sleep(200)
        ours = await trigger(one)
        assert ours.took_over
        created = [run["run_id"] for run in sandbox.runs() if run["internal"]["origin"] == "api"]
        assert created == [ours.run["run_id"], theirs.run["run_id"]]


@pytest.mark.parametrize("others", [("scheduled", True), ("manual", False)])
async def test_runs_that_say_they_are_somebody_elses_are_not_taken(others: tuple[str, bool]) -> None:
    sandbox = Sandbox()
    sandbox.faults.add(Fault("POST", r"/runs$", "drop_before"))
    async with connected(sandbox) as caller:

        async def somebody() -> None:
            await anyio.sleep(1)
            sandbox.begin_run(TESLA, others[0], sync=others[1])

        _, text = await gather(somebody, lambda: caller.error("trigger_run", tracker_id=TESLA, sync=True))
        assert str(text).startswith("[outcome_unknown]")


async def test_a_run_that_may_be_somebody_elses_is_reported_as_likely() -> None:
    sandbox = Sandbox(listing_delay=0)
    sandbox.faults.add(Fault("POST", r"/runs$", "drop_before"))
    async with connected(sandbox) as caller:

        async def somebody() -> None:
            await anyio.sleep(1)
            sandbox.begin_run(TESLA, "manual", sync=False)

        _, run = await gather(somebody, caller.trigger)
        assert isinstance(run, dict)
        assert run["delivery"]["match"] == "likely"
        assert "likely the one triggered, not certainly" in run["note"]


async def test_a_run_whose_own_answer_is_in_flight_is_not_taken_by_another_call() -> None:
    sandbox = Sandbox(sync_limit=1000)
    sandbox.faults.add(lose(times=1, skip=1))
    async with connected(sandbox) as caller:

        async def late() -> dict[str, Any]:
            await anyio.sleep(0.5)
            return await caller.trigger(again=True, sync=True, context=steer(2))

        answered, lost = await gather(lambda: caller.trigger(again=True, sync=True, context=steer(12)), late)
        assert answered["run_id"] != lost["run_id"]
        assert (answered["delivery"]["mode"], lost["delivery"]["mode"]) == ("sync", "sync_then_polling")
        seconds = {run["run_id"]: run["internal"]["context"]["sandbox"]["seconds"] for run in sandbox.runs()[-2:]}
        assert (seconds[answered["run_id"]], seconds[lost["run_id"]]) == (12, 2)
        assert (caller.posts, caller.created) == (2, 2)


async def test_a_trigger_that_runs_out_of_time_gets_its_run_from_those_still_waiting_for_theirs() -> None:
    sandbox = Sandbox(sync_limit=1000)
    sandbox.faults.add(lose(times=1, skip=1))
    async with connected(sandbox) as caller:

        async def trigger() -> dict[str, Any]:
            return await caller.trigger(again=True, sync=True, wait_seconds=40, context=steer(500))

        first, second = await gather(trigger, trigger)
        assert {first["status"], second["status"]} == {"running"}
        assert first["run_id"] != second["run_id"]
        assert (caller.posts, caller.created) == (2, 2)


@pytest.mark.parametrize(("listing_delay", "is_found"), [(0, True), (1e6, False)])
async def test_a_trigger_that_the_service_did_not_take_yet_stands_in_nobodys_way_and_is_sent_again(
    listing_delay: float, is_found: bool
) -> None:
    sandbox = Sandbox(listing_delay=listing_delay)
    later, body = {"Retry-After": "20"}, '{"detail": "Slow down"}'
    sandbox.faults.add(Fault("POST", r"/runs$", "status", code=429, headers=later, body=body), lose())
    async with connected(sandbox) as caller, anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: caller.trigger(sync=True, again=True, wait_seconds=100, context=steer(1)))
        await anyio.sleep(1)
        started = anyio.current_time()
        order: dict[str, Any] = {"tracker_id": TESLA, "sync": True, "again": True, "context": steer(1)}
        other = await caller.result("trigger_run", wait_seconds=6, **order)
        assert other.is_error is not is_found
        assert anyio.current_time() - started < (6 if is_found else 17)
    assert (caller.posts, caller.created) == (3, 2)


async def test_a_trigger_whose_caller_left_does_not_keep_another_from_its_run() -> None:
    sandbox = Sandbox(sync_limit=1000)
    async with connected(sandbox) as caller:

        async def leave() -> None:
            with anyio.move_on_after(4):
                await caller.trigger(again=True, sync=True, wait_seconds=300, context=steer(900))

        async def stay() -> dict[str, Any]:
            await anyio.sleep(1)
            sandbox.faults.add(lose())
            return await caller.trigger(again=True, sync=True, wait_seconds=30, context=steer(900))

        _, run = await gather(leave, stay)
        assert isinstance(run, dict)
        assert (run["status"], caller.posts, caller.created) == ("running", 2, 2)


@pytest.mark.patient
@pytest.mark.parametrize("sync", [True, False])
async def test_twenty_triggers_at_once_get_a_run_each_although_half_the_answers_are_lost(sync: bool) -> None:
    sandbox = Sandbox(sync_limit=2, listing_delay=2, shuffle_lists=True)
    for place in range(0, 20, 2):
        sandbox.faults.add(lose(skip=place - place // 2))
    async with connected(sandbox) as caller:
        runs = await gather(*[lambda: caller.trigger(again=True, sync=sync, context=steer(4))] * 20)
        assert len({run["run_id"] for run in runs}) == 20
        assert (caller.posts, caller.created) == (20, 20)


async def test_a_run_that_another_call_began_while_the_list_was_on_its_way_is_not_taken() -> None:
    sandbox = Sandbox()
    sandbox.faults.add(Fault("POST", r"/runs$", "drop_before"), Fault("POST", r"/runs$", "hang_after", seconds=8))
    async with connected(sandbox) as caller:
        # The two pages read before the trigger come at once, the list in which its run is looked for does not.
        sandbox.faults.add(Fault("GET", r"/runs$", "hang_before", seconds=5, skip=2))

        async def begin() -> Any:
            await anyio.sleep(1)
            return await caller.trigger(sync=True, again=True, context=steer(1))

        async def lose() -> Any:
            return await caller.error("trigger_run", tracker_id=TESLA, sync=True, wait_seconds=30)

        text, run = await gather(lose, begin)
        assert text.startswith("[outcome_unknown]")
        assert ("match" in run["delivery"], caller.created) == (False, 1)
