"""Money: consent before it is spent, ceilings that nothing raises, and a budget that no race overruns."""

from __future__ import annotations

import json
import logging
from typing import Any, Literal

import anyio
import pytest
from mcp_types import CallToolResult, ElicitResult, InputRequiredResult

from help.callers import Caller, Questions, connected, gather, text_of
from help.eras import both_eras
from help.seeded import AGENT, TESLA, Json, lines_of, steer
from quantinal_mcp.money.budget import Budget
from quantinal_mcp.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio


async def make_dear(caller: Caller) -> str:
    """Create a tracker whose runs are estimated at 0.096 quants, and return its id."""
    dear = lines_of(name="Dear", agent_config={**AGENT, "reasoning_mode": "advanced"})
    return (await caller.call("create_tracker", **dear))["tracker_id"]


@both_eras
async def test_a_dear_run_is_triggered_after_a_yes(mode: str) -> None:
    person = Questions()
    async with connected(Sandbox(), mode=mode, user=person) as caller:
        run = await caller.call("trigger_run", tracker_id=await make_dear(caller))
        assert (run["status"], caller.posts) == ("pending", 1)
        assert person.asked == ['Run tracker "Dear" (advanced reasoning)? It costs about 0.096 quants.']
        assert run["cost"]["estimated_quants"] == 0.096


UNCLEAR: dict[str, tuple[Literal["accept", "decline", "cancel"], Json | None, str]] = {
    "declined": ("decline", None, "[declined]"),
    "dismissed": ("cancel", None, "[needs_consent]"),
    "a no": ("accept", {"confirm": False}, "[declined]"),
    "a word": ("accept", {"confirm": "yes"}, "[needs_consent]"),
    "another field": ("accept", {"agree": True}, "[needs_consent]"),
    "an empty answer": ("accept", {}, "[needs_consent]"),
    "no content": ("accept", None, "[needs_consent]"),
}


@both_eras
@pytest.mark.parametrize("name", UNCLEAR)
async def test_anything_but_a_clear_yes_sends_nothing(mode: str, name: str) -> None:
    action, content, code = UNCLEAR[name]
    async with connected(Sandbox(), mode=mode, user=Questions(action, content)) as caller:
        text = await caller.error("trigger_run", tracker_id=await make_dear(caller), max_quants=5)
        assert text.startswith(code)
        assert (caller.posts, caller.created) == (0, 0)


@both_eras
async def test_where_the_client_cannot_ask_max_quants_carries_the_consent(mode: str) -> None:
    async with connected(Sandbox(), mode=mode) as caller:
        dear = await make_dear(caller)
        text = await caller.error("trigger_run", tracker_id=dear)
        assert text.startswith("[needs_consent] This run would cost about 0.096 quants")
        assert "call again with max_quants 0.096" in text
        assert (await caller.error("trigger_run", tracker_id=dear, max_quants=0.09)).startswith("[needs_consent]")
        assert caller.posts == 0
        assert (await caller.call("trigger_run", tracker_id=dear, max_quants=0.096))["status"] == "pending"


@both_eras
async def test_a_cheap_run_is_not_asked_for(mode: str) -> None:
    person = Questions("decline")
    async with connected(Sandbox(), mode=mode, user=person) as caller:
        await caller.trigger()
        assert person.asked == []


@both_eras
async def test_the_time_a_person_thinks_does_not_count_towards_the_wait(mode: str) -> None:
    person = Questions(thinks=500)
    async with connected(Sandbox(sync_limit=1000), mode=mode, user=person) as caller:
        dear = await make_dear(caller)
        run = await caller.call("trigger_run", tracker_id=dear, sync=True, wait_seconds=20, context=steer(15))
        assert (run["status"], run["delivery"]["mode"]) == ("completed", "sync")


async def first_round(caller: Caller, **arguments: Any) -> InputRequiredResult:
    result = await caller.client.session.call_tool("trigger_run", arguments, allow_input_required=True)
    assert isinstance(result, InputRequiredResult)
    return result


async def answered(
    caller: Caller, asked: InputRequiredResult, **arguments: Any
) -> CallToolResult | InputRequiredResult:
    [key] = asked.input_requests or {}
    return await caller.client.session.call_tool(
        "trigger_run",
        arguments,
        input_responses={key: ElicitResult(action="accept", content={"confirm": True})},
        request_state=asked.request_state,
        allow_input_required=True,
    )


async def test_a_yes_counts_for_one_call() -> None:
    async with connected(Sandbox(), user=Questions()) as caller:
        dear = await make_dear(caller)
        asked = await first_round(caller, tracker_id=dear, again=True)
        first = await answered(caller, asked, tracker_id=dear, again=True)
        again = await answered(caller, asked, tracker_id=dear, again=True)
        assert isinstance(first, CallToolResult)
        assert not first.is_error
        assert isinstance(again, CallToolResult)
        assert text_of(again).startswith("[needs_consent] This answer was already used")
        assert caller.posts == 1


async def test_a_yes_sent_many_times_at_once_triggers_one_run() -> None:
    async with connected(Sandbox(), user=Questions()) as caller:
        dear = await make_dear(caller)
        asked = await first_round(caller, tracker_id=dear)
        await gather(*[lambda: answered(caller, asked, tracker_id=dear)] * 5)
        assert caller.posts == 1


async def test_a_yes_is_bound_to_its_arguments() -> None:
    async with connected(Sandbox(), user=Questions()) as caller:
        dear = await make_dear(caller)
        asked = await first_round(caller, tracker_id=dear)
        with pytest.raises(Exception, match="requestState"):
            await answered(caller, asked, tracker_id=dear, sync=True)
        assert caller.posts == 0


async def test_a_yes_without_the_question_asks_again() -> None:
    async with connected(Sandbox(), user=Questions()) as caller:
        dear = await make_dear(caller)
        asked = await first_round(caller, tracker_id=dear)
        forged = asked.model_copy(update={"request_state": None})
        assert isinstance(await answered(caller, forged, tracker_id=dear), InputRequiredResult)
        assert caller.posts == 0


async def test_the_question_stays_the_same_while_runs_and_charges_come_in() -> None:
    async with connected(Sandbox(), user=Questions(), budget_quants=Budget(50)) as caller:
        dear = await make_dear(caller)
        asked = await first_round(caller, tracker_id=dear)
        await caller.trigger(sync=True)
        run = await answered(caller, asked, tracker_id=dear)
        assert isinstance(run, CallToolResult)
        assert not run.is_error


@pytest.mark.parametrize("can_ask", [True, False])
async def test_the_operators_ceiling_for_one_run_binds_whatever_anybody_says(can_ask: bool) -> None:
    person = Questions()
    async with connected(Sandbox(), max_quants_per_run=0.05, user=person if can_ask else None) as caller:
        text = await caller.error("trigger_run", tracker_id=await make_dear(caller), max_quants=100)
        assert text.startswith("[over_budget]")
        assert "QUANTINAL_MAX_QUANTS_PER_RUN" in text
        assert (person.asked, caller.posts) == ([], 0)
        assert (await caller.trigger())["status"] == "pending"


async def test_unknown_costs_need_consent_unless_basic_without_linked_trackers() -> None:
    sandbox = Sandbox(skills_forbidden=True)
    async with connected(sandbox) as caller:
        dear = await make_dear(caller)
        text = await caller.error("trigger_run", tracker_id=dear)
        assert text.startswith("[needs_consent] This run would cost an unknown number of quants")
        run = await caller.call("trigger_run", tracker_id=dear, max_quants=1)
        assert "estimated_quants" not in run["cost"]
        assert "skill prices" in run["cost"]["unknowns"][0]
        await caller.call("update_tracker", tracker_id=dear, agent_config={"reasoning_mode": "basic"})
        assert (await caller.call("trigger_run", tracker_id=dear))["status"] == "pending"


async def test_the_budget_is_stated_counted_and_binding() -> None:
    async with connected(Sandbox(), budget_quants=Budget(0.05)) as caller:
        first = await caller.trigger(sync=True)
        assert (first["cost"]["charged_quants"], first["cost"]["budget_left"]) == (0.02, pytest.approx(0.03))
        second = await caller.trigger(again=True)
        assert second["cost"]["budget_left"] == pytest.approx(0.01)
        text = await caller.error("trigger_run", tracker_id=TESLA, again=True)
        assert text.startswith(
            "[over_budget] 0.02 quants are expected and 0.01 of the budget of 0.05/day are left until 2026-"
        )
        assert caller.posts == 2


async def test_triggers_at_once_do_not_overrun_the_budget() -> None:
    async with connected(Sandbox(), budget_quants=Budget(0.07)) as caller:
        results = await gather(*[lambda: caller.result("trigger_run", tracker_id=TESLA, again=True)] * 10)
        assert sum(not result.is_error for result in results) == 3
        assert {text_of(result).split()[0] for result in results if result.is_error} == {"[over_budget]"}
        assert (caller.posts, caller.created) == (3, 3)


async def test_what_a_run_charged_beyond_its_estimate_is_booked_when_any_tool_sees_it() -> None:
    async with connected(Sandbox(), budget_quants=Budget(1)) as caller:
        dear = await make_dear(caller)
        run = await caller.call("trigger_run", tracker_id=dear, max_quants=1)
        assert run["cost"]["budget_left"] == pytest.approx(0.904)
        await anyio.sleep(100)
        await caller.call("list_runs", tracker_id=dear)
        assert (await caller.call("estimate_run_cost", tracker_id=dear))["budget_left"] == pytest.approx(0.896)


async def test_a_charge_that_the_answer_to_the_trigger_tells_is_booked() -> None:
    sandbox = Sandbox()
    body = json.dumps({"run_id": "run_1", "tracker_id": TESLA, "status": "completed", "quants_used": 0.03})
    sandbox.faults.add(Fault("POST", r"/runs$", "status", code=200, body=body))
    async with connected(sandbox, budget_quants=Budget(1)) as caller:
        run = await caller.trigger(sync=True)
        assert (run["cost"]["charged_quants"], run["cost"]["budget_left"]) == (0.03, pytest.approx(0.97))


async def test_a_refused_trigger_gives_its_reservation_back_and_a_lost_one_keeps_it() -> None:
    sandbox = Sandbox()
    async with connected(sandbox, budget_quants=Budget(1)) as caller:
        sandbox.faults.add(Fault("POST", r"/runs$", "status", code=402))
        await caller.error("trigger_run", tracker_id=TESLA)
        assert (await caller.call("estimate_run_cost", tracker_id=TESLA))["budget_left"] == 1
        sandbox.faults.add(Fault("POST", r"/runs$", "drop_before"))
        assert (await caller.error("trigger_run", tracker_id=TESLA)).startswith("[outcome_unknown]")
        assert (await caller.call("estimate_run_cost", tracker_id=TESLA))["budget_left"] == pytest.approx(0.98)


async def test_a_budget_and_an_unknown_cost_need_an_amount() -> None:
    async with connected(Sandbox(skills_forbidden=True), budget_quants=Budget(1)) as caller:
        dear = await make_dear(caller)
        assert (await caller.error("trigger_run", tracker_id=dear)).startswith("[over_budget]")
        run = await caller.call("trigger_run", tracker_id=dear, max_quants=0.4)
        assert run["cost"]["budget_left"] == pytest.approx(0.6)


@both_eras
@pytest.mark.parametrize(("sync", "is_lost"), [(True, False), (False, False), (False, True)])
async def test_each_run_that_has_ended_is_one_line_in_the_log_and_no_name_is_in_it(
    mode: str, sync: bool, is_lost: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "quantinal_mcp")
    sandbox = Sandbox()
    if is_lost:
        sandbox.faults.add(Fault("POST", r"/runs$", "drop_after"))
    async with connected(sandbox, mode=mode) as caller:
        run = await caller.trigger(sync=sync, context=steer(2))
        for _ in range(2):
            await caller.call("wait_for_run", tracker_id=TESLA, run_id=run["run_id"])
        (line,) = [one.getMessage() for one in caplog.records if run["run_id"] in one.getMessage()]
    seconds, told = line.partition("seconds=")[2].split(" ", 1)
    assert line.startswith(f"tracker={TESLA} run={run['run_id']} seconds=")
    assert 2 <= float(seconds) < 10
    assert told == "expected=0.02 charged=0.02"


async def test_what_a_run_says_of_its_charge_before_it_has_ended_is_not_its_last_word(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "quantinal_mcp")
    sandbox = Sandbox()
    async with connected(sandbox, budget_quants=Budget(1)) as caller:
        run = await caller.trigger(context=steer(60))
        so_far = json.dumps({"run_id": run["run_id"], "status": "running", "quants_used": 0.005})
        sandbox.faults.add(Fault("GET", rf"/runs/{run['run_id']}$", "status", code=200, body=so_far))
        for status in ("running", "completed"):
            seen = await caller.call("get_run", tracker_id=TESLA, run_id=run["run_id"])
            assert seen["status"] == status
            left = (await caller.call("estimate_run_cost", tracker_id=TESLA))["budget_left"]
            assert left == pytest.approx(0.98)
            await anyio.sleep(90)
    (line,) = [one.getMessage() for one in caplog.records if run["run_id"] in one.getMessage()]
    assert line.endswith("charged=0.02")
