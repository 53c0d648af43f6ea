from __future__ import annotations

from datetime import UTC, datetime

import pytest

from quantinal_mcp.errors import OverBudget
from quantinal_mcp.money.budget import Budget, parse_budget
from quantinal_mcp.money.ceilings import Ceilings
from quantinal_mcp.money.cost import Estimate

UNKNOWN = Estimate(None, 0.1, "unknown")


@pytest.mark.parametrize(
    ("text", "budget"),
    [
        ("5", Budget(5, "day")),
        ("5/day", Budget(5, "day")),
        (" 20 / Week ", Budget(20, "week")),
        ("0.5/month", Budget(0.5, "month")),
        ("0", Budget(0, "day")),
    ],
)
def test_a_budget_is_an_amount_per_period_and_per_day_where_none_is_named(text: str, budget: Budget) -> None:
    assert parse_budget(text) == budget


@pytest.mark.parametrize("text", ["", "much", "5/year", "-1/day", "inf", "nan/day", "5/day/week", "/day"])
def test_what_is_no_budget_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="5/day, 20/week or 50/month"):
        parse_budget(text)


def moment(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("period", "now", "since", "until"),
    [
        ("day", "2026-11-25T00:00:00", "2026-11-25", "2026-11-26"),
        ("day", "2026-11-25T23:59:59", "2026-11-25", "2026-11-26"),
        ("week", "2026-11-25T12:00:00", "2026-11-23", "2026-11-30"),
        ("week", "2026-11-29T23:59:59", "2026-11-23", "2026-11-30"),
        ("month", "2026-11-30T23:59:59", "2026-11-01", "2026-12-01"),
        ("month", "2026-12-31T12:00:00", "2026-12-01", "2027-01-01"),
        ("month", "2028-02-29T12:00:00", "2028-02-01", "2028-03-01"),
    ],
)
def test_periods_are_calendar_ones_in_utc(period: str, now: str, since: str, until: str) -> None:
    allowance = parse_budget(f"5/{period}").allowance(moment(now))
    assert (allowance.limit, allowance.since, allowance.until) == (5, moment(since), moment(until))


@pytest.mark.parametrize(("left", "said"), [(0.3, r"0\.3"), (0.0, "0"), (-0.2, "0")])
def test_what_the_budget_does_not_cover_is_refused_with_what_is_left_and_until_when(left: float, said: str) -> None:
    ceilings = Ceilings(budget=Budget(1.0))
    allowance = ceilings.allowance(moment("2026-11-25T12:00:00"))
    assert allowance is not None
    ceilings.check_left(0.3, 0.3, allowance)
    told = rf"0\.4 quants are expected and {said} of the budget of 1/day are left until 2026-11-26 00:00"
    with pytest.raises(OverBudget, match=told):
        ceilings.check_left(0.4, left, allowance)


@pytest.mark.parametrize(
    ("expected", "max_quants", "budget", "reserved"),
    [
        (Estimate(0.02, 0.02, "formula"), None, None, 0.02),
        (Estimate(0.02, 0.02, "formula"), 5.0, Budget(1), 0.02),
        (UNKNOWN, 0.6, Budget(1), 0.6),
        (UNKNOWN, 0.6, None, 0.6),
        (UNKNOWN, None, None, 0.1),
        (Estimate(None, None, "unknown"), None, None, 0.0),
    ],
)
def test_a_trigger_reserves_the_estimate_else_what_the_caller_allows_else_what_is_certain(
    expected: Estimate, max_quants: float | None, budget: Budget | None, reserved: float
) -> None:
    assert Ceilings(budget=budget).to_reserve(expected, max_quants) == reserved


def test_an_unknown_cost_needs_an_amount_to_count_against_a_budget() -> None:
    with pytest.raises(OverBudget, match="max_quants"):
        Ceilings(budget=Budget(1)).to_reserve(UNKNOWN, None)
