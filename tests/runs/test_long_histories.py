"""Trackers with thousands of past runs: a lost one is found among them, and little is kept of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from help.callers import connected, memory_journal, tracker_of
from help.seeded import TESLA
from quantinal_mcp.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio


def with_history(runs: int, **how: Any) -> Sandbox:
    """A sandbox whose tracker has had so many runs, a minute apart."""
    sandbox = Sandbox(**how)
    past = tracker_of(sandbox).runs
    oldest = min(past.values(), key=lambda run: run.created_at)
    for number in range(runs - len(past)):
        back = timedelta(minutes=number + 1)
        times = {name: getattr(oldest, name) - back for name in ("created_at", "started_at", "ends_at", "listed_at")}
        run = replace(oldest, run_id=f"run_{number:08}-0000-4000-8000-000000000000", **times)
        past[run.run_id] = run
    return sandbox


@pytest.mark.parametrize("runs", [950, 1999, 2050, 9999])
@pytest.mark.parametrize("sync", [True, False])
async def test_the_new_run_is_found_and_no_old_one_that_moved_up(runs: int, sync: bool) -> None:
    sandbox = with_history(runs, rate_limits=False)
    sandbox.faults.add(Fault("POST", r"/runs$", "drop_after"))
    journal = memory_journal()
    async with connected(sandbox, journal=journal) as caller:
        steer = {"sandbox": {"seconds": 1, "fail": False}}
        answer = await caller.trigger(sync=sync, context=steer, max_quants=1)
        (created,) = [run["run_id"] for run in sandbox.runs() if run["internal"]["origin"] == "api"]
        assert answer["run_id"] == created
        (record,) = await journal.intents(None, 0)
        assert len(record.before.packed) <= 16_000
    assert answer["tracker_id"] == TESLA
