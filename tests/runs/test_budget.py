from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantinal_mcp.errors import OverBudget
from quantinal_mcp.models.runs import Run
from quantinal_mcp.money.budget import Ledger
from quantinal_mcp.money.cost import Estimate


def run(run_id: str, status: str, charged: float | None) -> Run:
    return {"run_id": run_id, "status": status, "quants_used": charged}


def test_without_a_budget_nothing_binds() -> None:
    ledger = Ledger(None)
    ledger.reserve(1e9)
    ledger.reserve(None)
    assert ledger.left is None


def test_reservations_count_until_they_are_released() -> None:
    ledger = Ledger(1.0)
    first = ledger.reserve(0.7)
    with pytest.raises(OverBudget, match=r"0\.4 quants are expected and 0\.3 of the budget of 1 are left"):
        ledger.reserve(0.4)
    ledger.release(first)
    ledger.reserve(0.4)
    assert ledger.left == pytest.approx(0.6)


def test_a_reservation_is_settled_with_what_was_charged() -> None:
    ledger = Ledger(1.0)
    ledger.bind(ledger.reserve(0.3), "run_1")
    ledger.book(run("run_1", "completed", 0.5))
    assert ledger.left == pytest.approx(0.5)
    ledger.book(run("run_1", "completed", 0.5))
    assert ledger.left == pytest.approx(0.5)


def test_what_could_not_be_learnt_stays_counted() -> None:
    ledger = Ledger(1.0)
    ledger.bind(ledger.reserve(0.3), "run_1")
    ledger.book(run("run_1", "failed", None))
    assert ledger.left == pytest.approx(0.7)


def test_a_charge_above_the_estimate_is_booked_while_the_run_goes_on() -> None:
    ledger = Ledger(1.0)
    ledger.bind(ledger.reserve(0.3), "run_1")
    ledger.book(run("run_1", "running", 0.8))
    assert ledger.left == pytest.approx(0.2)


def test_a_failed_run_that_cost_nothing_gives_everything_back() -> None:
    ledger = Ledger(1.0)
    ledger.bind(ledger.reserve(0.3), "run_1")
    ledger.book(run("run_1", "failed", 0))
    assert ledger.left == 1.0


def test_runs_of_others_are_not_booked() -> None:
    ledger = Ledger(1.0)
    ledger.book(run("run_9", "completed", 0.9))
    assert ledger.left == 1.0


def test_an_unknown_cost_needs_an_amount_to_count_against_a_budget() -> None:
    unknown = Estimate(None, 0.1, "unknown")
    ledger = Ledger(1.0)
    with pytest.raises(OverBudget, match="max_quants"):
        ledger.reserve(ledger.amount(unknown, None))
    ledger.reserve(ledger.amount(unknown, 0.6))
    assert ledger.left == pytest.approx(0.4)


@given(st.lists(st.floats(0.001, 0.5), max_size=40))
def test_reservations_never_add_up_to_more_than_the_budget(amounts: list[float]) -> None:
    ledger = Ledger(1.0)
    granted = 0.0
    for amount in amounts:
        try:
            ledger.reserve(amount)
        except OverBudget:
            assert granted + amount > 1.0
        else:
            granted += amount
    assert granted <= 1.0 + 1e-6
