from __future__ import annotations

from typing import Any

import pytest

from quantinal_mcp.models.runs import Run
from quantinal_mcp.money.cost import Config, Estimate, estimate, needs_consent, quants, runs_per_day

PRICES = {"web": 0.012, "financial_markets": 0.012, "filings": 0.02}


def config(mode: str = "basic", *skills: str, linked: int = 0) -> Config:
    return Config(frozenset(skills or ("web",)), mode, frozenset(f"trk_{n}" for n in range(linked)))


def past(quants_used: float | None, mode: str = "basic", status: str = "completed", **more: Any) -> Run:
    agent: dict[str, Any] = {"skills": ["web"], "reasoning_mode": mode, "linked_trackers": [], **more}
    return {"run_id": "run_1", "status": status, "quants_used": quants_used, "config_snapshot": {"agent_config": agent}}  # pyright: ignore[reportReturnType]


@pytest.mark.parametrize(("mode", "expected"), [("basic", 0.012), ("advanced", 0.096), ("super", 0.36)])
def test_without_history_the_formula_is_the_estimate(mode: str, expected: float) -> None:
    found = estimate(config(mode), PRICES, [])
    assert (found.estimated_quants, found.at_least, found.unknowns) == (expected, expected, ())


def test_the_prices_of_several_skills_add_up() -> None:
    assert estimate(config("advanced", "web", "filings"), PRICES, []).estimated_quants == pytest.approx(0.256)


def test_what_runs_really_used_counts_where_it_is_larger() -> None:
    found = estimate(config(), PRICES, [past(0.02), past(0.018), past(None), past(0.5, status="failed")])
    assert (found.estimated_quants, found.at_least) == (0.02, 0.012)
    assert "history" in found.basis
    assert "2 completed" in found.basis


def test_the_formula_counts_where_it_is_larger() -> None:
    found = estimate(config(), PRICES, [past(0.001)])
    assert (found.estimated_quants, found.basis.split(":")[0]) == (0.012, "formula")


@pytest.mark.parametrize(
    "other",
    [
        past(9, "advanced"),
        past(9, skills=["web", "filings"]),
        past(9, linked_trackers=["trk_x"]),
    ],
)
def test_runs_of_another_configuration_tell_nothing(other: Run) -> None:
    assert estimate(config(), PRICES, [other]).estimated_quants == 0.012


def test_unreadable_prices_without_history_are_an_unknown_cost() -> None:
    found = estimate(config(), None, [])
    assert (found.estimated_quants, found.at_least) == (None, None)
    assert "skill prices" in found.unknowns[0]


def test_unreadable_prices_with_history_are_no_obstacle() -> None:
    found = estimate(config(), None, [past(0.02)])
    assert (found.estimated_quants, found.unknowns) == (0.02, ())


def test_linked_trackers_without_history_leave_a_lower_bound_only() -> None:
    found = estimate(config(linked=2), PRICES, [])
    assert (found.estimated_quants, found.at_least) == (None, 0.012)
    assert "2 linked trackers" in found.unknowns[0]


def test_an_unknown_skill_or_mode_is_named() -> None:
    assert "price of skill tarot" in estimate(config("basic", "tarot"), PRICES, []).unknowns
    assert "zen" in estimate(config("zen"), PRICES, []).unknowns[0]


@pytest.mark.parametrize(
    ("expected", "mode", "linked", "needed"),
    [
        (0.05, "basic", 0, False),
        (0.0501, "basic", 0, True),
        (0.01, "super", 3, False),
        (None, "basic", 0, False),
        (None, "basic", 1, True),
        (None, "advanced", 0, True),
    ],
)
def test_consent_is_needed_above_the_threshold_and_for_unknown_costs(
    expected: float | None, mode: str, linked: int, needed: bool
) -> None:
    assert needs_consent(Estimate(expected, None, ""), config(mode, linked=linked), 0.05) is needed


@pytest.mark.parametrize(("minutes", "times"), [(1440, 1), (60, 24), (10080, 1 / 7), (0, 1440)])
def test_a_schedule_runs_so_often_a_day(minutes: float, times: float) -> None:
    assert runs_per_day(minutes) == pytest.approx(times)


@pytest.mark.parametrize(("amount", "text"), [(0.1 + 0.2, "0.3"), (2.0, "2"), (0.0, "0"), (0.0125, "0.0125")])
def test_amounts_are_printed_without_noise(amount: float, text: str) -> None:
    assert quants(amount) == text
