from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter

from quantinal_mcp.models.runs import Run
from quantinal_mcp.models.trackers import AgentConfig
from quantinal_mcp.money.cost import DEAREST, Config, Estimate, estimate, needs_consent, quants, runs_per_day

PRICES = {"web": 0.012, "financial_markets": 0.012, "filings": 0.02}


def config(mode: str = "basic", *skills: str, linked: int = 0) -> Config:
    return Config(frozenset(skills or ("web",)), mode, frozenset(f"trk_{n}" for n in range(linked)))


def past(quants_used: float | None, mode: str = "basic", status: str = "completed", **more: Any) -> Run:
    agent: dict[str, Any] = {"skills": ["web"], "reasoning_mode": mode, "linked_trackers": [], **more}
    return {"run_id": "run_1", "status": status, "quants_used": quants_used, "config_snapshot": {"agent_config": agent}}  # pyright: ignore[reportReturnType]


@pytest.mark.parametrize(
    ("mode", "expected", "at_least", "basis"),
    [
        ("basic", 0.012, 0.012, "formula: skill prices x 1 (a lower bound)"),
        (
            "advanced",
            0.096,
            0.072,
            "formula: skill prices x 8, by the endpoint page; the scoring page of v0.3 says x 6",
        ),
        ("super", 0.36, 0.3, "formula: skill prices x 30, by the endpoint page; the scoring page of v0.3 says x 25"),
        ("zen", 0.66, 0.66, "formula: skill prices x 55, by the scoring page of v0.3 (a lower bound)"),
    ],
)
def test_without_history_the_dearest_formula_is_the_estimate_and_says_by_which_multipliers(
    mode: str, expected: float, at_least: float, basis: str
) -> None:
    found = estimate(config(mode), PRICES, [])
    assert found == Estimate(expected, at_least, basis)


@pytest.mark.parametrize(
    ("mode", "used", "expected"),
    [
        ("advanced", 0.08, 0.08),  # newer multipliers: the older formula asks for more
        ("advanced", 0.104, 0.104),
        ("advanced", 0.072, 0.072),
        ("advanced", 0.03, 0.096),  # below any formula: prices have changed since
        ("super", 0.308, 0.308),
        ("zen", 0.668, 0.668),
        ("basic", 0.012, 0.012),
    ],
)
def test_what_such_runs_were_charged_wins_unless_prices_have_changed(mode: str, used: float, expected: float) -> None:
    found = estimate(config(mode), PRICES, [past(used, mode)])
    assert found.estimated_quants == expected
    assert found.basis.startswith("history" if expected == used else "formula")


def test_a_negative_charge_or_price_is_none() -> None:
    assert estimate(config(), PRICES, [past(-3.0)]).estimated_quants == 0.012
    assert estimate(config(), None, [past(-3.0)]).estimated_quants is None
    assert estimate(config(), {"web": -0.5}, []).estimated_quants is None


def test_a_run_without_skills_costs_nobody_knows_what_until_one_was_charged() -> None:
    nothing = Config(frozenset(), "basic", frozenset())
    found = estimate(nothing, PRICES, [])
    assert (found.estimated_quants, found.at_least) == (None, None)
    assert "without skills" in found.unknowns[0]
    assert needs_consent(found, nothing, 0.05)
    assert estimate(nothing, PRICES, [past(0.008, skills=[])]).estimated_quants == 0.008


def test_a_caller_is_told_the_dearest_multipliers() -> None:
    described = TypeAdapter(AgentConfig).json_schema()["properties"]["reasoning_mode"]
    assert described["enum"] == list(DEAREST)
    assert "/".join(str(factor) for factor in DEAREST.values()) in described["description"]


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
    found = estimate(config("trance"), PRICES, [])
    assert (found.estimated_quants, found.at_least) == (None, None)
    assert "trance" in found.unknowns[0]


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
