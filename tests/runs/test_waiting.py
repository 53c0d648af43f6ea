"""Waiting: what the caller hears, when a wait ends, and what was not sent when its time is over before."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import anyio
import pytest

from help.callers import connected, gather
from help.eras import Mode, both_eras
from help.inside import GET_RUN
from help.seeded import TESLA, TOKEN, steer
from quantinal_mcp.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio


async def test_a_sync_wait_ends_early_enough_for_its_run_to_be_found_in_time() -> None:
    sandbox = Sandbox(sync_limit=1e9)
    sandbox.faults.add(Fault("GET", r"/runs$", "hang_before", seconds=1, skip=2, times=None))
    async with connected(sandbox) as caller:
        started = anyio.current_time()
        run = await caller.trigger(sync=True, wait_seconds=45, context=steer(400))
        assert (run["status"], run["delivery"]["match"]) == ("running", "likely")
        assert anyio.current_time() - started <= 45


async def test_a_deleted_run_ends_the_wait_with_not_found() -> None:
    async with connected(Sandbox()) as caller:
        run = await caller.trigger(context=steer(20))

        async def delete() -> None:
            await anyio.sleep(5)
            await caller.call("delete_run", tracker_id=TESLA, run_id=run["run_id"], confirm=True)

        _, text = await gather(
            delete,
            lambda: caller.error("wait_for_run", tracker_id=TESLA, run_id=run["run_id"], wait_seconds=100),
        )
        assert str(text).startswith("[not_found]")


@both_eras
async def test_progress_comes_every_five_seconds_rises_and_can_be_read(mode: str) -> None:
    heard: list[tuple[float, float, float | None, str | None]] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append((anyio.current_time(), progress, total, message))

    async with connected(Sandbox(sync_limit=10), mode=mode) as caller:
        started = anyio.current_time()
        arguments = {"tracker_id": TESLA, "sync": True, "wait_seconds": 40, "context": steer(30)}
        await caller.client.call_tool("trigger_run", arguments, progress_callback=hear)
    times = [started, *(time for time, *_ in heard)]
    assert max(later - earlier for earlier, later in pairwise(times)) <= 5
    progress = [value for _, value, *_ in heard]
    assert progress == sorted(set(progress))
    assert {total for _, _, total, _ in heard} == {None}
    assert "running 27 s, such runs usually take about 4 s" in [message for *_, message in heard]


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_progress_is_clean_and_holds_no_token(mode: str) -> None:
    sandbox = Sandbox()
    body = f'{{"run_id": "run_1", "status": "run\\u200bning \\u0071{TOKEN[1:]}"}}'
    sandbox.faults.add(Fault("GET", GET_RUN, "status", None, code=200, body=body))
    heard: list[str | None] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append(message)

    async with connected(sandbox, mode=mode) as caller:
        arguments = {"tracker_id": TESLA, "run_id": "run_1", "wait_seconds": 9}
        await caller.client.call_tool("wait_for_run", arguments, progress_callback=hear)
    assert any(message and message.startswith("running [token] ") for message in heard)


@pytest.mark.parametrize("wait_seconds", [0, 1, 7, 45, 300])
@pytest.mark.parametrize("tool", ["trigger_run", "wait_for_run"])
async def test_a_wait_is_over_in_time_and_says_how_to_go_on(tool: str, wait_seconds: float) -> None:
    sandbox = Sandbox(sync_limit=1e9)
    async with connected(sandbox) as caller:
        arguments: dict[str, Any] = {"tracker_id": TESLA, "wait_seconds": wait_seconds}
        if tool == "trigger_run":
            arguments |= {"sync": True, "context": steer(3000)}
        else:
            arguments["run_id"] = (await caller.trigger(context=steer(3000)))["run_id"]
        started = anyio.current_time()
        run = await caller.call(tool, **arguments)
        assert anyio.current_time() - started <= wait_seconds + 1
        assert run["status"] in ("pending", "running")
        expected = f"wait_for_run(tracker_id={TESLA}, run_id={run['run_id']}) continues; do not trigger again"
        assert run["next_step"] == expected
        assert caller.posts == 1


async def test_estimates_and_search_count_towards_the_wait() -> None:
    sandbox = Sandbox(sync_limit=5)
    sandbox.faults.add(Fault("GET", r"/skills$", "hang_before", seconds=6, times=1))
    async with connected(sandbox) as caller:
        started = anyio.current_time()
        run = await caller.trigger(sync=True, wait_seconds=20, context=steer(3000))
        assert run["status"] == "running"
        assert anyio.current_time() - started <= 21


async def test_a_tracker_that_cannot_be_read_in_time_is_a_timeout_and_nothing_is_sent() -> None:
    sandbox = Sandbox()
    sandbox.faults.add(Fault("GET", r"/trackers/[^/]+$", "hang_before", seconds=100, times=None))
    async with connected(sandbox, wait_seconds=10) as caller:
        started = anyio.current_time()
        text = await caller.error("trigger_run", tracker_id=TESLA)
        assert text.startswith("[timeout]")
        assert "Nothing was sent" in text
        assert anyio.current_time() - started <= 11
        assert caller.posts == 0


async def test_a_tracker_that_becomes_slow_right_before_the_trigger_is_a_timeout_too() -> None:
    sandbox = Sandbox()
    sandbox.faults.add(Fault("GET", r"/trackers/[^/]+$", "hang_before", seconds=100, skip=1, times=None))
    async with connected(sandbox) as caller:
        started = anyio.current_time()
        text = await caller.error("trigger_run", tracker_id=TESLA, sync=True, wait_seconds=5)
        assert text.startswith("[timeout]")
        assert "Nothing was sent" in text
        assert anyio.current_time() - started <= 6
        assert caller.posts == 0


@both_eras
@pytest.mark.parametrize("reading", ["first", "last"])
@pytest.mark.parametrize("what", ["tracker", "runs"])
@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ({"kind": "status", "code": 500}, "upstream_error"),
        ({"kind": "status", "code": 503}, "upstream_error"),
        ({"kind": "status", "code": 404, "body": '{"detail": "Tracker not found"}'}, "not_found"),
        ({"kind": "status", "code": 401, "body": '{"detail": "Invalid token"}'}, "unauthorized"),
        ({"kind": "status", "code": 429, "headers": {"Retry-After": "90"}}, "rate_limited"),
        ({"kind": "drop_before"}, "network_error"),
        ({"kind": "status", "code": 200, "body": "<html>Welcome</html>"}, "invalid_response"),
        ({"kind": "hang_before", "seconds": 100}, "timeout"),
    ],
    ids=["500", "503", "404", "401", "429", "dropped", "no JSON", "slow"],
)
async def test_what_goes_wrong_before_the_trigger_says_that_nothing_was_sent(
    mode: Mode, reading: str, what: str, fault: dict[str, Any], code: str
) -> None:
    sandbox = Sandbox()
    path = {"tracker": r"/trackers/[^/]+$", "runs": r"/runs$"}[what]
    pages = {"tracker": 1, "runs": 2}[what]
    sandbox.faults.add(Fault("GET", path, times=None, skip=pages if reading == "last" else 0, **fault))
    if reading == "last":
        # A list of the last second would not be read again.
        sandbox.faults.add(Fault("GET", r"/skills$", "hang_before", seconds=2))
    async with connected(sandbox, mode) as caller:
        text = await caller.fails("trigger_run", code, tracker_id=TESLA)
        assert text.count("othing was sent") == 1
        assert caller.posts == 0
        sandbox.faults.clear()
        assert "note" not in await caller.trigger(context=steer(1))
        assert caller.posts == 1


async def test_a_trigger_waits_for_a_slow_update_no_longer_than_its_own_time() -> None:
    sandbox = Sandbox()
    sandbox.faults.add(Fault("PATCH", r"/trackers/[^/]+$", "hang_before", seconds=11))
    async with connected(sandbox) as caller:

        async def trigger() -> None:
            await anyio.sleep(1)
            started = anyio.current_time()
            text = await caller.error("trigger_run", tracker_id=TESLA, sync=True, wait_seconds=3)
            assert "Nothing was sent" in text
            assert anyio.current_time() - started <= 4
            assert caller.posts == 0

        changed = {"tracker_id": TESLA, "agent_config": {"score_meaning": "Mood"}}
        await gather(trigger, lambda: caller.call("update_tracker", **changed))


async def test_async_returns_at_once_and_says_that_wait_seconds_is_ignored() -> None:
    async with connected(Sandbox()) as caller:
        started = anyio.current_time()
        run = await caller.trigger(wait_seconds=30, context=steer(20))
        assert anyio.current_time() == started
        assert (run["status"], run["delivery"]["mode"]) == ("pending", "async")
        assert run["note"] == "wait_seconds is ignored with sync=false."


async def test_a_failed_run_is_an_observation_and_no_error() -> None:
    async with connected(Sandbox()) as caller:
        run = await caller.trigger(sync=True, context=steer(1, fail=True))
        assert run["status"] == "failed"
        assert run["error_message"]
        assert run["cost"]["charged_quants"] == 0.02


async def test_a_sync_answer_is_completed_with_what_it_cost() -> None:
    async with connected(Sandbox(sync_limit=100)) as caller:
        run = await caller.trigger(sync=True, context=steer(5))
        assert run["delivery"] == {"mode": "sync", "polls": 0, "seconds": pytest.approx(5.3, abs=0.2)}
        assert run["cost"]["charged_quants"] == 0.02
        assert run["cost"]["estimated_quants"] == 0.02
