"""Every way of losing the answer to a trigger's POST, over real sockets."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import Any

import anyio
import pytest
from mcp_types import CallToolResult

from help.callers import Caller, connected, gather, text_of
from help.seeded import TESLA, steer
from quantinal_mcp.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio

HTML = "<!doctype html><html><body><h1>Bad gateway</h1></body></html>"
TIMED_OUT = '{"detail": "Timed out", "error_code": "RUNNER_SYNC_TIMEOUT"}'
RUN_COST = 0.02
QUICK = steer(0.01)

ACTED: dict[str, dict[str, Any]] = {
    "504 with RUNNER_SYNC_TIMEOUT": {"kind": "act_then_status", "code": 504, "body": TIMED_OUT},
    "504 without": {"kind": "act_then_status", "code": 504, "body": '{"detail": "Gateway timeout"}'},
    "504 with a page": {"kind": "act_then_status", "code": 504, "body": HTML},
    "502 with a page": {"kind": "act_then_status", "code": 502, "body": HTML},
    "503 with a page": {"kind": "act_then_status", "code": 503, "body": HTML},
    "408 of a gateway": {"kind": "act_then_status", "code": 408, "body": HTML},
    "499 of a gateway": {"kind": "act_then_status", "code": 499, "body": ""},
    "403 with a page": {"kind": "act_then_status", "code": 403, "body": HTML},
    "429 with a page": {"kind": "act_then_status", "code": 429, "body": HTML},
    "500": {"kind": "act_then_status", "code": 500, "body": '{"detail": "Internal error"}'},
    "garbage with status 200": {"kind": "act_then_status", "code": 200, "body": HTML},
    "another shape with status 200": {"kind": "act_then_status", "code": 200, "body": '["run"]'},
    "dropped after it acted": {"kind": "drop_after"},
    "half an answer": {"kind": "half"},
}
NOT_ACTED: dict[str, dict[str, Any]] = {
    "dropped before it acted": {"kind": "drop_before"},
    "502 before it acted": {"kind": "status", "code": 502, "body": HTML},
    "503 before it acted": {"kind": "status", "code": 503, "body": HTML},
}


@pytest.fixture
def anyio_backend() -> str:
    """Real sockets need real time."""
    return "asyncio"


@dataclass
class Cell:
    """What became of some triggers at once under one fault."""

    results: list[CallToolResult]
    caller: Caller

    @property
    def run_ids(self) -> list[str]:
        return [result.structured_content["run_id"] for result in self.results if result.structured_content]


async def triggers(fault: Fault, *, sync: bool, at_once: int, wait_seconds: float = 20.0, again: bool = True) -> Cell:
    """Trigger `at_once` runs of one tracker while the sandbox misbehaves."""
    sandbox = Sandbox(pending_seconds=0.0)
    sandbox.faults.add(fault)
    async with (
        sandbox.serve() as base_url,
        connected(sandbox, base_url=base_url, wait_seconds=wait_seconds) as caller,
    ):
        one = partial(caller.result, "trigger_run", tracker_id=TESLA, sync=sync, context=QUICK, again=again)
        return Cell(await gather(*[one] * at_once), caller)


@pytest.mark.parametrize("name", ACTED)
async def test_a_run_whose_answer_was_lost_is_found_and_never_triggered_twice(name: str) -> None:
    async def check(sync: bool, at_once: int) -> None:
        cell = await triggers(Fault("POST", r"/runs$", times=None, **ACTED[name]), sync=sync, at_once=at_once)
        where = f"{name}, sync={sync}, {at_once} at once"
        assert [text_of(result) for result in cell.results if result.is_error] == [], where
        assert cell.caller.posts == at_once, where
        assert cell.caller.created == at_once, where
        assert Counter(cell.run_ids) == Counter(dict.fromkeys(set(cell.run_ids), 1)), where
        assert len(set(cell.run_ids)) == at_once, where
        assert cell.caller.sandbox.charged() == pytest.approx(RUN_COST * at_once), where
        for result in cell.results:
            answer: dict[str, Any] = result.structured_content or {}
            assert answer["delivery"]["mode"] == ("sync_then_polling" if sync else "async"), where
            assert answer["delivery"]["match"] == "likely", where
            assert "likely the one" in answer["note"], where
            if sync:
                assert answer["status"] == "completed", where
                assert answer["cost"]["charged_quants"] == RUN_COST, where

    async with anyio.create_task_group() as tasks:
        for sync in (True, False):
            for at_once in (1, 4):
                tasks.start_soon(check, sync, at_once)


@pytest.mark.parametrize("name", ["none", *ACTED])
@pytest.mark.parametrize("sync", [True, False])
async def test_equal_calls_at_once_are_one_run_whatever_becomes_of_its_answer(name: str, sync: bool) -> None:
    kind = ACTED.get(name, {"kind": "status", "code": 429, "headers": {"Retry-After": "1"}})
    cell = await triggers(Fault("POST", r"/runs$", times=1, **kind), sync=sync, at_once=3, again=False)
    assert [text_of(result) for result in cell.results if result.is_error] == []
    assert (len(set(cell.run_ids)), cell.caller.created) == (1, 1)
    assert cell.caller.sandbox.charged() == pytest.approx(RUN_COST)
    repeats = ["NO NEW RUN was started or charged" in text_of(result) for result in cell.results]
    assert sorted(repeats) == [False, True, True]


async def test_a_trigger_that_was_never_executed_is_an_unknown_outcome_after_one_post() -> None:
    async def check(name: str, sync: bool, at_once: int) -> None:
        cell = await triggers(
            Fault("POST", r"/runs$", times=None, **NOT_ACTED[name]), sync=sync, at_once=at_once, wait_seconds=10
        )
        where = f"{name}, sync={sync}, {at_once} at once"
        assert (cell.caller.posts, cell.caller.created, cell.caller.sandbox.charged()) == (at_once, 0, 0), where
        for result in cell.results:
            assert result.is_error, where
            assert text_of(result).startswith("[outcome_unknown] The trigger was sent once"), where
            assert f"list_runs(tracker_id={TESLA})" in text_of(result), where

    async with anyio.create_task_group() as tasks:
        for name in NOT_ACTED:
            tasks.start_soon(check, name, True, 1)
            tasks.start_soon(check, name, False, 3)


@pytest.mark.parametrize("sync", [True, False])
async def test_an_answer_that_says_it_was_not_accepted_is_sent_again(sync: bool) -> None:
    limited = Fault("POST", r"/runs$", "status", code=429, headers={"Retry-After": "1"}, body='{"detail": "Slow down"}')
    cell = await triggers(limited, sync=sync, at_once=1)
    assert not cell.results[0].is_error, text_of(cell.results[0])
    assert (cell.caller.posts, cell.caller.created) == (2, 1)
    assert "match" not in (cell.results[0].structured_content or {})["delivery"]


@pytest.mark.parametrize("sync", [True, False])
async def test_a_read_timeout_ends_the_wait_and_not_the_run(sync: bool) -> None:
    cell = await triggers(
        Fault("POST", r"/runs$", "hang_after", seconds=60), sync=sync, at_once=1, wait_seconds=2 if sync else 1
    )
    assert not cell.results[0].is_error, text_of(cell.results[0])
    assert (cell.caller.posts, cell.caller.created) == (1, 1)


@pytest.mark.parametrize("code", [400, 401, 402, 403, 404, 422])
async def test_a_refusal_is_passed_on_and_nothing_is_looked_for(code: int) -> None:
    cell = await triggers(Fault("POST", r"/runs$", "status", code=code, body='{"detail": "No"}'), sync=True, at_once=1)
    assert cell.results[0].is_error
    assert text_of(cell.results[0]).startswith("[")
    assert "outcome_unknown" not in text_of(cell.results[0])
    assert (cell.caller.posts, cell.caller.created) == (1, 0)
    assert cell.caller.sandbox.count("GET", r"/runs$") == 2  # the two pages read before the trigger
