"""Money at the wrong moment: changes between yes and POST, clients that cannot ask, impossible charges and prices."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from mcp.client.session import ClientRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, ElicitRequestParams, ElicitResult, ErrorData

from help.callers import Caller, Questions, connected, gather, tracker_of
from help.eras import Mode, both_eras
from help.seeded import CALLS, PORTFOLIO, QUICK, RUN, SOURCE, TESLA
from quantinal_mcp.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio


def changed_in_the_console(sandbox: Sandbox, mode: str, tracker_id: str = TESLA) -> None:
    """Somebody else makes the tracker dearer."""
    tracker_of(sandbox, tracker_id).settings["agent_config"]["reasoning_mode"] = mode


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
