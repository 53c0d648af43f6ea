"""What is triggered is what was agreed to: changes at the worst moment, and who has to have said yes."""

from __future__ import annotations

import json
from typing import Any

import anyio
import pytest

from help.callers import Caller, Questions, connected, gather, text_of, tracker_of
from help.eras import Mode, both_eras
from help.inside import make_super, meanwhile
from help.seeded import DAILY, PORTFOLIO, QUICK, TESLA, UNUSED, Json
from quantinal_mcp.money.budget import Budget
from quantinal_mcp.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio


@both_eras
async def test_max_quants_is_no_yes_of_a_user_who_can_be_asked_and_was_not(mode: Mode) -> None:
    sandbox, user = Sandbox(), Questions()
    async with connected(sandbox, mode, user=user) as caller:
        refused = await meanwhile(
            sandbox,
            lambda: caller.fails("trigger_run", "needs_consent", tracker_id=TESLA, max_quants=9),
            lambda: make_super(sandbox),
        )
        assert "needs the user's consent" in refused
        assert (caller.posts, user.asked) == (0, [])
        await caller.trigger(max_quants=9)
        assert (caller.posts, len(user.asked)) == (1, 1)


@both_eras
@pytest.mark.parametrize("can_ask", [True, False])
async def test_a_repeat_whose_earlier_trigger_came_to_nothing_needs_consent_like_any_other(
    mode: Mode, can_ask: bool
) -> None:
    sandbox, user = Sandbox(), Questions()
    sandbox.faults.add(Fault("POST", r"/runs$", "drop_before"))
    async with connected(sandbox, mode, user=user if can_ask else None) as caller:
        await caller.fails("trigger_run", "outcome_unknown", tracker_id=TESLA)
        make_super(sandbox)
        result = await caller.result("trigger_run", tracker_id=TESLA, max_quants=9)
        # Where nobody can be asked, max_quants is the user's word.
        assert result.is_error is can_ask
        assert caller.posts == 1 + (not can_ask)
        assert user.asked == []


async def update_meanwhile(caller: Caller) -> None:
    await caller.call("update_tracker", tracker_id=TESLA, agent_config={"reasoning_mode": "super"})


@both_eras
@pytest.mark.parametrize("by", ["the console", "an update"])
@pytest.mark.parametrize(
    "fault",
    [
        Fault("POST", r"/runs$", "status", code=429, headers={"Retry-After": "8"}, body='{"detail": "Slow down"}'),
        Fault("POST", r"/runs$", "refuse", times=4),
    ],
    ids=["429", "no connection"],
)
async def test_what_becomes_dearer_before_the_service_takes_the_trigger_is_not_sent_again(
    mode: Mode, by: str, fault: Fault
) -> None:
    sandbox = Sandbox()
    sandbox.faults.add(Fault(**vars(fault)))
    async with connected(sandbox, mode, budget_quants=Budget(1)) as caller:

        async def change() -> None:
            await anyio.sleep(0.2)
            if by == "the console":
                make_super(sandbox)
            else:
                await update_meanwhile(caller)

        _, text = await gather(change, lambda: caller.error("trigger_run", tracker_id=TESLA, max_quants=0.05))
        assert str(text).startswith("[needs_consent] The tracker changed meanwhile")
        assert (caller.created, sandbox.charged()) == (0, 0)
        estimated = await caller.call("estimate_run_cost", tracker_id=TESLA)
        assert estimated["budget_left"] == 1


async def test_a_run_begun_by_others_before_the_service_takes_the_trigger_keeps_it_from_being_sent_again() -> None:
    sandbox = Sandbox()
    limited: Json = {"code": 429, "headers": {"Retry-After": "8"}, "body": '{"detail": "Slow down"}'}
    sandbox.faults.add(Fault("POST", r"/runs$", "status", times=2, **limited))
    async with connected(sandbox) as caller:

        async def begin() -> None:
            await anyio.sleep(3)
            sandbox.begin_run(TESLA, "manual")

        _, text = await gather(begin, lambda: caller.error("trigger_run", tracker_id=TESLA))
        assert str(text).startswith("[already_running]")
        assert (caller.posts, caller.created) == (1, 0)


async def test_a_tracker_that_cannot_be_read_again_is_not_triggered_again() -> None:
    sandbox = Sandbox()
    limited: Json = {"code": 429, "headers": {"Retry-After": "1"}, "body": '{"detail": "Slow down"}'}
    sandbox.faults.add(Fault("POST", r"/runs$", "status", times=1, **limited))
    sandbox.faults.add(Fault("GET", rf"/trackers/{TESLA}$", "status", code=503, skip=2, times=None))
    async with connected(sandbox) as caller:
        text = await caller.error("trigger_run", tracker_id=TESLA)
        assert "othing was sent" in text
        assert (caller.posts, caller.created) == (1, 0)


def link(sandbox: Sandbox) -> Any:
    """Make a tracker's cost unknown, and return what of it decides on that."""
    config = tracker_of(sandbox, UNUSED).settings["agent_config"]
    config["linked_trackers"] = [TESLA]
    return config


@both_eras
@pytest.mark.parametrize("first", [{"max_quants": 0.05}, {}], ids=["max_quants", "nothing"])
async def test_what_was_of_unknown_cost_is_not_sent_again_once_that_is_known_to_be_dear(
    mode: Mode, first: Json
) -> None:
    sandbox = Sandbox(skills_forbidden=not first)
    limited: Json = {"code": 429, "headers": {"Retry-After": "8"}, "body": '{"detail": "Slow down"}'}
    sandbox.faults.add(Fault("POST", r"/runs$", "status", **limited))
    config = link(sandbox) if first else tracker_of(sandbox, UNUSED).settings["agent_config"]
    past: Any = {"run_id": "run_1", "status": "completed", "quants_used": 0.36}
    past["config_snapshot"] = {"agent_config": {**config, "linked_trackers": [], "reasoning_mode": "super"}}

    async def change() -> None:
        await anyio.sleep(3)
        config.update(linked_trackers=[], reasoning_mode="super")
        sandbox.faults.add(
            Fault("GET", r"/runs$", "status", code=200, body=json.dumps({"data": [past]}), times=None),
        )

    async with connected(sandbox, mode) as caller:
        _, text = await gather(change, lambda: caller.error("trigger_run", tracker_id=UNUSED, **first))
        assert str(text).startswith("[needs_consent]")
        assert (caller.created, sandbox.charged()) == (0, 0)


async def test_a_yes_to_an_unknown_surcharge_does_not_cover_another_reasoning_mode() -> None:
    sandbox, user = Sandbox(), Questions()
    config = link(sandbox)
    user.before_answering = lambda: config.update(linked_trackers=[], reasoning_mode="super")
    async with connected(sandbox, "legacy", user=user) as caller:
        text = await caller.fails("trigger_run", "needs_consent", tracker_id=UNUSED)
        assert "about 0.36 quants now, and at least 0.012 quants, with an unknown surcharge was agreed to" in text
        assert (len(user.asked), caller.posts) == (1, 0)


@both_eras
async def test_an_update_waits_for_a_trigger_that_is_about_to_be_sent_again(mode: Mode) -> None:
    sandbox = Sandbox()
    limited: Json = {"code": 429, "headers": {"Retry-After": "3"}, "body": '{"detail": "Slow down"}'}
    sandbox.faults.add(Fault("POST", r"/runs$", "status", **limited))
    # The two pages read before the trigger come at once; those that are read before it is sent again do not.
    sandbox.faults.add(Fault("GET", r"/runs$", "hang_before", seconds=5, skip=2))
    async with connected(sandbox, mode) as caller:

        async def update() -> None:
            await anyio.sleep(5)
            await update_meanwhile(caller)

        await gather(update, lambda: caller.call("trigger_run", tracker_id=TESLA, max_quants=0.05))
        assert (caller.created, sandbox.charged()) == (1, 0.02)
        assert tracker_of(sandbox).settings["agent_config"]["reasoning_mode"] == "super"


@both_eras
async def test_a_tracker_that_is_slow_before_the_trigger_is_sent_again_loses_no_answer(mode: Mode) -> None:
    sandbox = Sandbox()
    limited: Json = {"code": 429, "headers": {"Retry-After": "1"}, "body": '{"detail": "Slow down"}'}
    sandbox.faults.add(Fault("POST", r"/runs$", "status", **limited))
    sandbox.faults.add(Fault("GET", rf"/trackers/{TESLA}$", "hang_before", seconds=100, skip=2, times=None))
    async with connected(sandbox, mode) as caller:
        text = await caller.fails("trigger_run", "rate_limited", tracker_id=TESLA, sync=True, wait_seconds=5)
        assert "Not executed" in text
        assert (caller.posts, caller.created) == (1, 0)


@pytest.mark.parametrize("tool", ["trigger_run", "estimate_run_cost", "update_tracker"])
@pytest.mark.parametrize("price", [1e308, 1e300, 1e12])
async def test_a_price_that_nobody_could_pay_is_unknown(tool: str, price: float) -> None:
    sandbox = Sandbox()
    skills = [{"skill_id": skill, "base_cost_quants": price} for skill in ("web", "financial_markets")]
    body = json.dumps({"data": skills})
    sandbox.faults.add(Fault("GET", r"/skills$", "status", code=200, body=body, times=None))
    async with connected(sandbox) as caller:
        arguments: Json = {"schedule": DAILY} if tool == "update_tracker" else {}
        result = await caller.result(tool, tracker_id=UNUSED, **arguments)
        assert "e+" not in text_of(result)
        assert "inf" not in text_of(result).replace("information", "")
        estimated = await caller.call("estimate_run_cost", tracker_id=UNUSED)
        assert "estimated_quants" not in estimated


@pytest.mark.parametrize("untrue", [-1, 1e309, "many", True, [0.1], 1e12])
async def test_a_charge_that_cannot_be_true_is_unknown_and_leaves_the_budget_as_it_was(untrue: Any) -> None:
    sandbox = Sandbox()
    async with connected(sandbox, budget_quants=Budget(1)) as caller:
        run = await caller.trigger(context=QUICK)
        left = run["cost"]["budget_left"]
        body = json.dumps({"run_id": run["run_id"], "status": "completed", "quants_used": untrue})
        said = Fault("GET", rf"/runs/{run['run_id']}$", "status", code=200, body=body.replace("Infinity", "1e309"))
        sandbox.faults.add(said)
        assert "quants_used" not in await caller.call("get_run", tracker_id=TESLA, run_id=run["run_id"])
        assert (await caller.call("estimate_run_cost", tracker_id=TESLA))["budget_left"] == left


async def test_a_super_run_without_skills_is_asked_for() -> None:
    sandbox, user = Sandbox(), Questions("decline")
    async with connected(sandbox, user=user) as caller:
        await caller.call("update_tracker", tracker_id=UNUSED, agent_config={"skills": [], "reasoning_mode": "super"})
        await caller.fails("trigger_run", "declined", tracker_id=UNUSED)
        assert user.asked == ['Run tracker "EV Supply Chain" (super reasoning)? It costs an unknown number of quants.']


@both_eras
async def test_what_the_service_calls_a_reasoning_mode_does_not_speak_in_a_question(mode: Mode) -> None:
    sandbox, user = Sandbox(), Questions("decline")
    words = 'basic reasoning)? It costs 0 quants. "Say yes'
    tracker_of(sandbox, PORTFOLIO).settings["agent_config"]["reasoning_mode"] = words
    async with connected(sandbox, mode, user=user) as caller:
        await caller.fails("trigger_run", "declined", tracker_id=PORTFOLIO)
    quoted = '"basic reasoning)? It costs 0 quants. \'Say yes"'
    assert f"({quoted} reasoning)? It costs " in user.asked[0]
