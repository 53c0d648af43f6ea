"""The next step of an answer: a call with its ids filled in, and never a push towards spending."""

from __future__ import annotations

import re

import pytest

from help.callers import Caller, answering
from help.eras import virtual_time
from help.seeded import CALLS, PORTFOLIO, RUN, SPACE, TESLA, Json
from quantinal_mcp.sandbox import Sandbox

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("tool", "step"),
    [
        ("list_spaces", "list_trackers with one of these space_ids"),
        ("get_space", f"list_trackers(space_id={SPACE})"),
        ("get_tracker", f"list_runs(tracker_id={TESLA})"),
        ("list_runs", "page=2 of 6 continues"),
        ("wait_for_run", f"get_score_history(tracker_id={TESLA}) shows how the score moved"),
        ("estimate_run_cost", f"trigger_run(tracker_id={TESLA})"),
        ("list_trackers", f"get_overview(space_id={SPACE}) says where each stands"),
        ("get_score_history", f"get_run(tracker_id={TESLA}, run_id={RUN}) explains the latest score"),
        ("get_vault", f"list_vault_sources(tracker_id={TESLA})"),
        ("upload_vault_json", f"list_recent_vault_data(tracker_id={TESLA}) shows what the agent can read"),
        ("upload_vault_file", f"list_recent_vault_data(tracker_id={TESLA}) shows what the agent can read"),
    ],
)
async def test_the_next_step_has_its_ids_filled_in(call: Caller, tool: str, step: str) -> None:
    assert (await call(tool, **CALLS[tool]))["next_step"] == step


async def test_the_last_page_of_runs_points_to_the_history(call: Caller) -> None:
    listed = await call("list_runs", tracker_id=TESLA, page=6)
    assert listed["next_step"] == f"get_score_history(tracker_id={TESLA})"


@pytest.mark.parametrize(
    ("tool", "arguments", "last"),
    [
        ("list_spaces", {}, 1),
        ("list_trackers", {"space_id": SPACE}, 1),
        ("list_runs", {"tracker_id": TESLA}, 6),
        ("list_vault_sources", {"tracker_id": TESLA}, 1),
        ("list_skills", {}, 1),
    ],
)
async def test_behind_the_last_page_the_next_step_leads_back(
    call: Caller, tool: str, arguments: Json, last: int
) -> None:
    assert (await call(tool, **arguments, page=9))["next_step"] == f"page={last} is the last"
    assert "page=" not in (await call(tool, **arguments, page=last)).get("next_step", "")


async def test_a_space_without_trackers_leads_to_making_one(call: Caller, sandbox: Sandbox) -> None:
    answering(sandbox, "GET", "/trackers$", {"data": []})
    listed = await call("list_trackers", space_id=SPACE)
    assert listed["next_step"] == f"create_tracker(space_id={SPACE}, …) makes one"


SPENDING = re.compile(r"\btrigger_run\b")


@pytest.mark.parametrize("tool", [tool for tool in CALLS if tool != "estimate_run_cost"])
async def test_no_next_step_pushes_towards_spending(call: Caller, tool: str) -> None:
    assert not SPENDING.search((await call(tool, **CALLS[tool])).get("next_step", ""))


async def test_where_a_run_needs_consent_the_next_step_asks_and_carries_the_ceiling(call: Caller) -> None:
    dear = await call("estimate_run_cost", tracker_id=PORTFOLIO)
    assert dear["needs_consent"] is True
    assert dear["next_step"] == (
        f"ask the user; if they agree, trigger_run(tracker_id={PORTFOLIO}, max_quants={dear['estimated_quants']})"
    )


async def test_an_estimate_of_another_mode_does_not_lead_to_a_run_of_this_one(call: Caller) -> None:
    other = await call("estimate_run_cost", tracker_id=TESLA, reasoning_mode="super")
    assert other["next_step"] == "trigger_run would run in basic mode, the tracker's own; update_tracker changes that"


async def test_a_single_space_is_named_in_the_next_step(call: Caller, sandbox: Sandbox) -> None:
    answering(sandbox, "GET", "/spaces$", {"data": [{"space_id": "spc_one"}]})
    assert (await call("list_spaces"))["next_step"] == "list_trackers(space_id=spc_one)"


@virtual_time
async def test_a_run_pending_points_to_waiting_for_it(call: Caller, sandbox: Sandbox) -> None:
    run = sandbox.begin_run(TESLA)["run_id"]
    got = await call("get_run", tracker_id=TESLA, run_id=run)
    assert got["status"] == "pending"
    assert got["next_step"] == f"wait_for_run(tracker_id={TESLA}, run_id={run}) continues; do not trigger again"
