"""Money at the wrong moment: repeats without a cancel, changes between yes and POST, and what others began."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from mcp.client.session import ClientRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, ElicitRequestParams, ElicitResult, ErrorData

from help.callers import Caller, Questions, connected, gather, tracker_of
from help.eras import Mode, both_eras
from help.journals import DAY, Clock, memory
from help.seeded import CALLS, PORTFOLIO, RUN, SEMIS, SOURCE, TESLA, lines_of, steer
from quantinal_mcp.money.budget import Budget
from quantinal_mcp.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio

QUICK = steer(1)
LONG = steer(400)


def changed_in_the_console(sandbox: Sandbox, mode: str, tracker_id: str = TESLA) -> None:
    """Somebody else makes the tracker dearer."""
    tracker_of(sandbox, tracker_id).settings["agent_config"]["reasoning_mode"] = mode


@both_eras
@pytest.mark.parametrize("sync", [True, False])
async def test_a_repeat_of_a_call_whose_answer_was_not_read_pays_nothing(mode: Mode, sync: bool) -> None:
    async with connected(Sandbox(), mode) as caller:
        first = await caller.trigger(sync=sync, context=QUICK)
        repeats: list[Any] = []
        for _ in range(3):
            await anyio.sleep(25)
            repeats.append(await caller.trigger(sync=sync, context=QUICK))
        assert {run["run_id"] for run in repeats} == {first["run_id"]}
        assert all(run["status"] == "completed" for run in repeats)
        assert all("NO NEW RUN was started or charged" in run["note"] for run in repeats)
        assert (caller.posts, caller.created) == (1, 1)


async def test_a_run_that_a_later_call_named_was_read_and_the_next_trigger_starts_another() -> None:
    async with connected(Sandbox()) as caller:
        first = await caller.trigger(context=QUICK)
        await caller.call("wait_for_run", tracker_id=TESLA, run_id=first["run_id"])
        second = await caller.trigger(context=QUICK)
        assert second["run_id"] != first["run_id"]
        assert (caller.posts, caller.created) == (2, 2)


CHANGED: dict[str, dict[str, Any]] = {
    "context": {"context": {"notes": "other ones"}},
    "sync": {"sync": True},
    "wait": {"sync": True, "wait_seconds": 0},
    "max_quants": {"max_quants": 0},
}


@both_eras
@pytest.mark.parametrize("seconds", [1, 400], ids=["ended", "going on"])
@pytest.mark.parametrize("changed", CHANGED.values(), ids=CHANGED)
async def test_a_repeat_with_other_arguments_pays_nothing_either(
    mode: Mode, seconds: float, changed: dict[str, Any]
) -> None:
    async with connected(Sandbox(), mode) as caller:
        first = await caller.trigger(context=steer(seconds))
        await anyio.sleep(5)
        told = await caller.trigger(**changed)
        assert told["run_id"] == first["run_id"]
        assert "NO NEW RUN was started or charged" in told["note"]
        assert caller.posts == 1


@both_eras
async def test_a_repeat_after_the_tracker_was_changed_pays_nothing_and_asks_nobody(mode: Mode) -> None:
    user = Questions()
    async with connected(Sandbox(), mode, user=user) as caller:
        first = await caller.trigger(context=QUICK)
        await caller.call("update_tracker", tracker_id=TESLA, agent_config={"reasoning_mode": "super"})
        assert (await caller.trigger())["run_id"] == first["run_id"]
        assert (caller.posts, user.asked) == (1, [])
        await caller.trigger(again=True)
        assert (caller.posts, len(user.asked)) == (2, 1)


@both_eras
async def test_a_tracker_that_was_deleted_and_made_anew_is_another_one(mode: Mode) -> None:
    async with connected(Sandbox(), mode) as caller:
        first = await caller.trigger(context=QUICK)
        await caller.call("delete_tracker", **CALLS["delete_tracker"])
        assert (await caller.trigger())["run_id"] == first["run_id"]
        made = await caller.call("create_tracker", **lines_of(name="Tesla Sentiment"))
        assert "note" not in await caller.call("trigger_run", tracker_id=made["tracker_id"])
        await anyio.sleep(150)
        assert "Nothing was sent" in await caller.fails("trigger_run", "not_found", tracker_id=TESLA)
        assert (caller.posts, caller.created) == (2, 1)


@both_eras
@pytest.mark.parametrize("step", [-3 * DAY, -3600.0, 3600.0, 0.9 * DAY])
async def test_a_clock_that_is_set_while_a_trigger_waits_loses_nothing_of_it(mode: Mode, step: float) -> None:
    sandbox, clock = Sandbox(sync_limit=1e9), Clock()
    async with connected(sandbox, mode, journal=memory(clock), budget_quants=Budget(0.1, "month")) as caller:
        with anyio.move_on_after(3):
            await caller.trigger(sync=True, context=steer(20))
        clock.now += step
        await anyio.sleep(60)
        told = await caller.trigger()
        assert told["status"] == "completed"
        assert told["cost"]["budget_left"] == pytest.approx(0.08)
        assert caller.posts == 1


@both_eras
async def test_a_run_that_others_named_before_its_caller_was_answered_was_not_learnt_by_that(mode: Mode) -> None:
    sandbox = Sandbox(sync_limit=1e9)
    async with connected(sandbox, mode) as caller:

        async def look() -> Any:
            await anyio.sleep(5)
            (run,) = [run["run_id"] for run in sandbox.runs() if run["internal"]["origin"] == "api"]
            return await caller.call("get_run", tracker_id=TESLA, run_id=run)

        first, _ = await gather(lambda: caller.trigger(sync=True, context=steer(20)), look)
        assert (await caller.trigger(sync=True, context=steer(20)))["run_id"] == first["run_id"]
        assert caller.posts == 1


async def test_two_minutes_after_an_answer_a_trigger_starts_another_run() -> None:
    async with connected(Sandbox()) as caller:
        first = await caller.trigger(context=QUICK)
        await anyio.sleep(119)
        assert (await caller.trigger())["run_id"] == first["run_id"]
        await anyio.sleep(121)
        assert (await caller.trigger())["run_id"] != first["run_id"]
        assert caller.posts == 2


async def test_a_run_that_goes_on_is_told_however_long_ago_it_was_begun() -> None:
    async with connected(Sandbox()) as caller:
        first = await caller.trigger(context=LONG)
        await caller.call("get_run", tracker_id=TESLA, run_id=first["run_id"])
        await anyio.sleep(300)
        told = await caller.trigger()
        assert (told["run_id"], told["status"]) == (first["run_id"], "running")
        assert caller.posts == 1


@pytest.mark.parametrize("sync", [True, False])
async def test_a_run_that_another_call_began_while_this_one_read_is_told_as_ours(sync: bool) -> None:
    sandbox = Sandbox()
    sandbox.faults.add(Fault("GET", r"/runs$", "hang_before", seconds=5))
    async with connected(sandbox) as caller:

        async def trigger_later() -> Any:
            await anyio.sleep(1)
            return await caller.trigger(sync=sync, context=LONG, wait_seconds=10)

        slow, quick = await gather(lambda: caller.trigger(sync=sync, context=LONG, wait_seconds=10), trigger_later)
        assert slow["run_id"] == quick["run_id"]
        assert (caller.posts, caller.created) == (1, 1)


async def test_again_starts_another_run_each_time() -> None:
    async with connected(Sandbox()) as caller:
        await caller.trigger(context=LONG)
        runs = await gather(*[lambda: caller.trigger(again=True, context=LONG)] * 3)
        assert len({run["run_id"] for run in runs}) == 3
        assert (caller.posts, caller.created) == (4, 4)


@both_eras
async def test_somebody_elses_run_that_goes_on_is_named_and_nothing_is_sent(mode: Mode) -> None:
    sandbox = Sandbox()
    async with connected(sandbox, mode) as caller:
        theirs = sandbox.begin_run(TESLA, "manual")
        text = await caller.fails("trigger_run", "already_running", tracker_id=TESLA)
        assert f"wait_for_run(tracker_id={TESLA}, run_id={theirs['run_id']})" in text
        assert "again=true" in text
        assert caller.posts == 0
        assert (await caller.trigger(again=True))["run_id"] != theirs["run_id"]


async def test_a_scheduled_run_that_goes_on_holds_nothing_off() -> None:
    sandbox = Sandbox()
    async with connected(sandbox) as caller:
        sandbox.begin_run(SEMIS, "scheduled")
        assert "note" not in await caller.call("trigger_run", tracker_id=SEMIS)


@both_eras
async def test_what_becomes_dearer_while_the_user_thinks_is_not_sent(mode: Mode) -> None:
    sandbox = Sandbox()
    user = Questions()
    async with connected(sandbox, mode, user=user) as caller:
        user.before_answering = lambda: changed_in_the_console(sandbox, "super", PORTFOLIO)
        result = await caller.result("trigger_run", tracker_id=PORTFOLIO)
        # The handshake's question is answered within the call; later clients are asked anew, at the new price.
        if mode == "legacy":
            assert result.is_error
            assert caller.posts == 0
        else:
            assert len(set(user.asked)) == 2


@pytest.mark.parametrize("limits", [{"max_quants": 0.05}, {}])
async def test_what_becomes_dearer_right_before_it_is_sent_is_not_sent(limits: dict[str, Any]) -> None:
    sandbox = Sandbox()
    async with connected(sandbox) as caller:
        # The tracker is read to estimate it, and once more right before it is sent.
        sandbox.faults.add(Fault("GET", rf"/trackers/{TESLA}$", "hang_before", seconds=2, skip=1, times=1))

        async def change() -> None:
            await anyio.sleep(1)
            changed_in_the_console(sandbox, "super")

        _, text = await gather(change, lambda: caller.error("trigger_run", tracker_id=TESLA, **limits))
        assert str(text).startswith("[needs_consent]")
        assert caller.posts == 0


async def test_what_becomes_dearer_than_the_operators_ceiling_is_not_sent() -> None:
    sandbox = Sandbox()
    async with connected(sandbox, max_quants_per_run=0.05) as caller:
        sandbox.faults.add(Fault("GET", rf"/trackers/{TESLA}$", "hang_before", seconds=2, skip=1, times=1))

        async def change() -> None:
            await anyio.sleep(1)
            changed_in_the_console(sandbox, "super")

        _, text = await gather(change, lambda: caller.error("trigger_run", tracker_id=TESLA, max_quants=9))
        assert str(text).startswith("[over_budget]")
        assert caller.posts == 0


async def test_an_update_and_a_trigger_at_once_never_run_dearer_than_was_agreed() -> None:
    for first in range(6):
        sandbox = Sandbox()
        async with connected(sandbox) as caller:

            async def update(caller: Caller = caller, first: int = first) -> None:
                await anyio.sleep(first * 0.02)
                await caller.call("update_tracker", tracker_id=TESLA, agent_config={"reasoning_mode": "super"})

            async def trigger(caller: Caller = caller) -> Any:
                return await caller.result("trigger_run", tracker_id=TESLA, max_quants=0.05)

            await gather(update, trigger)
        assert sandbox.charged() <= 0.05


@both_eras
async def test_a_client_that_answers_questions_with_an_error_is_one_that_cannot_ask(mode: Mode) -> None:
    async def broken(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult | ErrorData:
        del context, params
        return ErrorData(code=INTERNAL_ERROR, message="no window to show it in")

    sandbox = Sandbox()
    async with connected(sandbox, mode, user=broken) as caller:
        if mode == "auto":
            # Here the client gives up by itself, and the server hears nothing of it.
            with pytest.raises(MCPError):
                await caller.raw("trigger_run", {"tracker_id": PORTFOLIO})
            return
        assert "max_quants" in await caller.fails("trigger_run", "needs_consent", tracker_id=PORTFOLIO)
        assert (await caller.call("trigger_run", tracker_id=PORTFOLIO, max_quants=5))["status"] == "pending"
        await caller.fails("delete_run", "needs_consent", tracker_id=TESLA, run_id=RUN)
        assert await caller.call("delete_run", **CALLS["delete_run"])
        await caller.fails("delete_tracker", "needs_consent", tracker_id=TESLA)
        assert await caller.call("delete_tracker", **CALLS["delete_tracker"])


async def test_where_the_client_cannot_ask_nothing_is_deleted_without_a_word_of_the_user() -> None:
    sandbox = Sandbox()
    async with connected(sandbox) as caller:
        text = await caller.fails("delete_run", "needs_consent", tracker_id=TESLA, run_id=RUN)
        assert "confirm=true" in text
        text = await caller.fails("delete_vault_source", "needs_consent", tracker_id=TESLA, source_id=SOURCE)
        assert "3 rows" in text
        wrong = {"tracker_id": TESLA, "source_id": SOURCE, "confirm_name": "earnings"}
        await caller.fails("delete_vault_source", "needs_consent", **wrong)
        assert sandbox.count("DELETE", "/") == 0


async def test_an_infinite_charge_of_a_past_run_does_not_make_a_tracker_untriggerable() -> None:
    sandbox = Sandbox()
    async with connected(sandbox) as caller:
        body = '{"data": [{"run_id": "run_1", "status": "completed", "quants_used": 1e309}]}'
        sandbox.faults.add(Fault("GET", r"/runs$", "status", code=200, body=body, times=None))
        assert (await caller.trigger())["status"] == "pending"


async def test_a_price_below_nothing_is_no_price() -> None:
    sandbox = Sandbox()
    async with connected(sandbox) as caller:
        body = '{"data": [{"skill_id": "financial_markets", "base_cost_quants": -1}]}'
        sandbox.faults.add(Fault("GET", r"/skills$", "status", code=200, body=body, times=None))
        estimated = await caller.call("estimate_run_cost", tracker_id=TESLA, reasoning_mode="super")
        assert "estimated_quants" not in estimated
        assert estimated["needs_consent"]


async def test_notes_that_would_change_nothing_are_refused() -> None:
    async with connected(Sandbox()) as caller:
        text = await caller.refused("trigger_run", tracker_id=TESLA, context={"reasoning_mode": "super"})
        assert "update_tracker" in text


async def test_an_answer_says_by_how_much_the_charge_was_above_the_estimate() -> None:
    sandbox = Sandbox()
    async with connected(sandbox) as caller:
        tracker_of(sandbox).settings["agent_config"]["linked_trackers"] = []
        await caller.call("update_tracker", tracker_id=TESLA, agent_config={"skills": ["financial_markets", "web"]})
        run = await caller.trigger(sync=True, context=QUICK)
        charged, expected = run["cost"]["charged_quants"], run["cost"]["estimated_quants"]
        assert charged > expected
        assert f"It was charged {charged:g} quants, {charged - expected:.4g} more than was estimated." in run["note"]


async def test_a_zen_tracker_is_triggered_asynchronously_whatever_was_asked_and_polled() -> None:
    sandbox = Sandbox(service="v0.3")
    async with connected(sandbox) as caller:
        changed_in_the_console(sandbox, "zen")
        run = await caller.trigger(sync=True, max_quants=5, wait_seconds=300, context=QUICK)
        assert (run["delivery"]["mode"], run["status"]) == ("async_then_polling", "completed")
        assert (caller.posts, caller.created) == (1, 1)
