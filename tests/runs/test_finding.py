"""Finding the run of a lost answer, whatever the list looks like, and what is done while it is not found."""

from __future__ import annotations

import json
from typing import Any

import anyio
import pytest

from help.callers import connected, gather
from help.eras import Mode, both_eras
from help.inside import lose
from help.seeded import TESLA, steer
from quantinal_mcp.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "awkward",
    [
        {"shuffle_lists": True},
        {"listing_delay": 6.0},
        {"listing_delay": 6.0, "shuffle_lists": True},
        {"clock_skew": 7200.0},
        {"clock_skew": -7200.0},
        {"pending_seconds": 20.0},
    ],
    ids=str,
)
async def test_the_run_is_found_whatever_the_list_and_the_clocks_do(awkward: dict[str, Any]) -> None:
    sandbox = Sandbox(**awkward)
    sandbox.faults.add(lose())
    async with connected(sandbox) as caller:
        run = await caller.trigger(sync=True, context=steer(3))
        assert (run["status"], caller.posts, caller.created) == ("completed", 1, 1)
        assert run["delivery"]["match"] == "likely"


async def test_it_is_found_although_the_list_itself_fails_for_a_while() -> None:
    sandbox = Sandbox()
    sandbox.faults.add(lose(), Fault("GET", r"/runs$", "status", code=503, times=9, skip=2))
    async with connected(sandbox) as caller:
        run = await caller.trigger(sync=True, context=steer(1))
        assert (run["status"], caller.posts) == ("completed", 1)


async def test_a_run_that_was_listed_too_late_is_answered_by_the_next_call_instead_of_a_second_one() -> None:
    sandbox = Sandbox(listing_delay=60)
    sandbox.faults.add(lose())
    async with connected(sandbox) as caller:
        text = await caller.error("trigger_run", tracker_id=TESLA, sync=True, context=steer(1))
        assert text.startswith("[outcome_unknown]")
        await anyio.sleep(60)
        run = await caller.trigger(sync=True)
        assert (run["status"], caller.posts, caller.created) == ("completed", 1, 1)
        assert "NO NEW RUN was started or charged" in run["note"]
        await caller.trigger(again=True)
        assert (caller.posts, caller.created) == (2, 2)


async def test_after_an_unknown_outcome_the_next_call_looks_again_and_then_goes_through() -> None:
    sandbox = Sandbox()
    sandbox.faults.add(Fault("POST", r"/runs$", "drop_before"))
    async with connected(sandbox) as caller:
        assert (await caller.error("trigger_run", tracker_id=TESLA)).startswith("[outcome_unknown]")
        run = await caller.trigger()
        assert (run["status"], caller.posts, caller.created) == ("pending", 2, 1)
        assert "note" not in run


@both_eras
@pytest.mark.parametrize(
    "fault",
    [{"kind": "status", "code": 503}, {"kind": "hang_before", "seconds": 60}, {"kind": "drop_before"}],
    ids=["failing", "slow", "dropped"],
)
async def test_a_call_that_could_not_look_for_an_unknown_outcome_sends_nothing(
    mode: Mode, fault: dict[str, Any]
) -> None:
    sandbox = Sandbox()
    sandbox.faults.add(lose())
    async with connected(sandbox, mode) as caller:
        sandbox.faults.add(Fault("GET", r"/runs$", skip=2, times=None, **fault))
        await caller.fails("trigger_run", "outcome_unknown", tracker_id=TESLA, context=steer(1))

        async def mend() -> None:
            await anyio.sleep(10.2)
            sandbox.faults.clear()

        # The list can be read again as soon as this call has given up looking at it.
        _, text = await gather(mend, lambda: caller.error("trigger_run", tracker_id=TESLA))
        assert str(text).startswith("[outcome_unknown]")
        run = await caller.trigger()
        assert "NO NEW RUN was started or charged" in run["note"]
        assert (caller.posts, caller.created) == (1, 1)


async def test_a_call_that_could_look_only_before_the_run_was_listed_sends_nothing() -> None:
    sandbox = Sandbox(listing_delay=35)
    sandbox.faults.add(lose())
    async with connected(sandbox) as caller:
        await caller.fails("trigger_run", "outcome_unknown", tracker_id=TESLA, context=steer(1))

        async def mend() -> None:
            await anyio.sleep(10.2)
            sandbox.faults.clear()

        looked = sandbox.count("GET", r"/runs$")
        sandbox.faults.add(Fault("GET", r"/runs$", "status", code=503, skip=2, times=None))
        _, text = await gather(mend, lambda: caller.error("trigger_run", tracker_id=TESLA))
        assert str(text).startswith("[outcome_unknown]")
        assert sandbox.count("GET", r"/runs$") > looked + 2
        assert "NO NEW RUN was started or charged" in (await caller.trigger())["note"]
        assert (caller.posts, caller.created) == (1, 1)


async def test_an_error_that_names_its_run_claims_it() -> None:
    sandbox = Sandbox()
    async with connected(sandbox) as caller:
        own = sandbox.begin_run(TESLA, "manual", sync=True)
        body = f'{{"detail": "Timed out", "error_code": "RUNNER_SYNC_TIMEOUT", "run_id": "{own["run_id"]}"}}'
        sandbox.faults.add(Fault("POST", r"/runs$", "status", code=504, body=body))
        run = await caller.trigger(again=True, sync=True)
        assert (run["run_id"], run["status"]) == (own["run_id"], "completed")
        assert run["delivery"]["match"] == "certain"


@both_eras
@pytest.mark.parametrize("named", ["abc", "", 7, None])
async def test_an_answer_that_names_no_run_is_a_lost_one_and_its_run_a_likely_one(mode: Mode, named: Any) -> None:
    sandbox = Sandbox()
    body = json.dumps({"run_id": named, "tracker_id": TESLA, "status": "pending"})
    sandbox.faults.add(Fault("POST", r"/runs$", "act_then_status", code=202, body=body))
    async with connected(sandbox, mode) as caller:
        run = await caller.trigger(context=steer(1))
        (created,) = [run["run_id"] for run in sandbox.runs() if run["internal"]["origin"] == "api"]
        assert (run["run_id"], run["delivery"]["match"]) == (created, "likely")
        assert "likely the one triggered, not certainly" in run["note"]


async def test_after_an_unknown_outcome_a_call_with_little_time_looks_and_leaves_the_sending_to_the_next() -> None:
    sandbox = Sandbox()
    sandbox.faults.add(Fault("POST", r"/runs$", "drop_before"))
    async with connected(sandbox) as caller:
        short: Any = {"tracker_id": TESLA, "sync": True, "wait_seconds": 2}
        await caller.fails("trigger_run", "outcome_unknown", **short)
        started = anyio.current_time()
        text = await caller.fails("trigger_run", "timeout", **short)
        assert "Nothing was sent now. Call again to start another run." in text
        assert anyio.current_time() - started <= 13
        assert caller.posts == 1
        assert (await caller.call("trigger_run", **short))["status"] in {"pending", "running"}
        assert (caller.posts, caller.created) == (2, 1)
