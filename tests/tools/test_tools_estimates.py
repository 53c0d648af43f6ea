"""What a run will cost, told before there is one: by history, else by formula and prices."""

from __future__ import annotations

import anyio
import pytest

from help.callers import Caller, answering, connected
from help.eras import both_eras, virtual_time
from help.seeded import PORTFOLIO, SEMIS, TESLA, UNUSED
from quantinal_mcp.money.budget import Budget
from quantinal_mcp.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio


async def test_an_estimate_is_what_such_runs_used(call: Caller) -> None:
    cost = await call("estimate_run_cost", tracker_id=TESLA)
    assert (cost["estimated_quants"], cost["at_least"]) == (0.02, 0.012)
    assert cost["basis"].startswith("history: dearest of ")
    assert cost["reasoning_mode"] == "basic"
    assert cost["needs_consent"] is False
    assert cost["usually_takes"]
    assert cost["unknowns"] == []


@both_eras
@pytest.mark.parametrize(
    ("mode_given", "expected", "factors"),
    [("advanced", 0.096, ("x 8", "x 6")), ("super", 0.36, ("x 30", "x 25")), ("zen", 0.66, ("x 55",))],
)
async def test_another_mode_is_estimated_by_the_formula_naming_the_multipliers(
    call: Caller, mode_given: str, expected: float, factors: tuple[str, ...]
) -> None:
    cost = await call("estimate_run_cost", tracker_id=TESLA, reasoning_mode=mode_given)
    assert cost["estimated_quants"] == expected
    assert all(factor in cost["basis"] for factor in factors)
    assert ("lower bound" in cost["basis"]) == (len(factors) == 1)
    assert cost["needs_consent"] is True
    assert cost["reasoning_mode"] == mode_given
    assert "usually_takes" not in cost


async def test_linked_trackers_are_known_from_history_only(call: Caller, service: str) -> None:
    known = await call("estimate_run_cost", tracker_id=PORTFOLIO)
    assert known["estimated_quants"] == {"documented": 0.212, "v0.3": 0.152}[service]
    unknown = await call("estimate_run_cost", tracker_id=PORTFOLIO, reasoning_mode="basic")
    assert "estimated_quants" not in unknown
    assert unknown["at_least"] == 0.024
    assert unknown["basis"] == "unknown"
    assert any("3 linked trackers" in one for one in unknown["unknowns"])
    assert unknown["needs_consent"] is True


async def test_without_readable_prices_history_still_tells() -> None:
    sandbox = Sandbox(skills_forbidden=True)
    async with connected(sandbox) as call:
        known = await call("estimate_run_cost", tracker_id=SEMIS)
        unknown = await call("estimate_run_cost", tracker_id=UNUSED)
        dear = await call("estimate_run_cost", tracker_id=UNUSED, reasoning_mode="super")
        assert sandbox.count("GET", "/skills") == 1
    assert known["estimated_quants"] == 0.032
    assert "at_least" not in known
    assert "estimated_quants" not in unknown
    assert any("skill prices" in one for one in unknown["unknowns"])
    assert (unknown["needs_consent"], dear["needs_consent"]) == (False, True)


@virtual_time
async def test_a_price_list_that_is_broken_does_not_stop_an_estimate(call: Caller, sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("GET", "/skills", "status", None, code=500))
    assert (await call("estimate_run_cost", tracker_id=TESLA))["estimated_quants"] == 0.02


@virtual_time
async def test_a_price_list_that_does_not_come_holds_an_estimate_up_for_ten_seconds(
    call: Caller, sandbox: Sandbox
) -> None:
    sandbox.faults.add(Fault("GET", "/skills", "hang_before", None, seconds=1000))
    started = anyio.current_time()
    assert (await call("estimate_run_cost", tracker_id=TESLA))["estimated_quants"] == 0.02
    assert anyio.current_time() - started < 11


async def test_a_skill_without_a_price_is_an_unknown(call: Caller, sandbox: Sandbox) -> None:
    answering(sandbox, "GET", "/skills", {"data": [{"skill_id": "web"}]})
    assert (await call("estimate_run_cost", tracker_id=UNUSED))["unknowns"] == ["price of skill web"]


async def test_a_budget_is_part_of_an_estimate(sandbox: Sandbox) -> None:
    async with connected(sandbox, budget_quants=Budget(1.5)) as call:
        assert (await call("estimate_run_cost", tracker_id=TESLA))["budget_left"] == 1.5
