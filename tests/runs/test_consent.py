from __future__ import annotations

import pytest

from quantinal_mcp.errors import NeedsConsent, OverBudget, QuantinalError
from quantinal_mcp.money.ceilings import Ceilings, check_agreed, must_ask, suggestion
from quantinal_mcp.money.cost import Config, Estimate

DEAR = Estimate(0.36, 0.36, "formula")
CHEAP = Estimate(0.012, 0.012, "formula")
UNKNOWN = Estimate(None, None, "unknown")
AT_LEAST = Estimate(None, 0.3, "unknown")
BASIC = Config(frozenset({"web"}), "basic", frozenset())
LINKED = Config(frozenset({"web"}), "basic", frozenset({"trk_1"}))


@pytest.mark.parametrize(
    ("expected", "max_quants", "per_run", "error"),
    [
        (CHEAP, None, None, None),
        (DEAR, None, None, None),
        (DEAR, 0.36, 0.36, None),
        (DEAR, None, 0.35, OverBudget),
        (DEAR, 5.0, 0.35, OverBudget),
        (UNKNOWN, 5.0, 1.0, OverBudget),
        (AT_LEAST, None, 0.2, OverBudget),
        (UNKNOWN, 5.0, None, None),
        (DEAR, 0.35, None, NeedsConsent),
        (AT_LEAST, 0.2, None, NeedsConsent),
        (CHEAP, 0.0, None, NeedsConsent),
    ],
)
def test_ceilings_bind_in_all_cases(
    expected: Estimate, max_quants: float | None, per_run: float | None, error: type[QuantinalError] | None
) -> None:
    if error is None:
        Ceilings(per_run).check(expected, max_quants)
        return
    with pytest.raises(error, match=r"Nothing was sent\."):
        Ceilings(per_run).check(expected, max_quants)


def test_what_is_too_dear_whatever_its_surcharge_is_refused_with_what_it_costs_at_least() -> None:
    with pytest.raises(OverBudget, match=r"at least 0\.3 quants.*; the ceiling for one run is 0\.2\."):
        Ceilings(0.2).check(AT_LEAST, None)


@pytest.mark.parametrize(
    ("expected", "config", "max_quants", "can_ask", "outcome"),
    [
        (CHEAP, BASIC, None, True, False),
        (CHEAP, BASIC, None, False, False),
        (DEAR, BASIC, None, True, True),
        (DEAR, BASIC, 1.0, True, True),
        (DEAR, BASIC, 1.0, False, False),
        (DEAR, BASIC, None, False, NeedsConsent),
        (UNKNOWN, BASIC, None, False, False),
        (UNKNOWN, LINKED, None, True, True),
        (UNKNOWN, LINKED, None, False, NeedsConsent),
        (UNKNOWN, LINKED, 1.0, False, False),
    ],
)
def test_a_dear_run_is_asked_for_or_carries_max_quants(
    expected: Estimate,
    config: Config,
    max_quants: float | None,
    can_ask: bool,
    outcome: bool | type[NeedsConsent],
) -> None:
    if isinstance(outcome, bool):
        assert must_ask(expected, config, threshold=0.05, max_quants=max_quants, can_ask=can_ask) is outcome
        return
    with pytest.raises(outcome, match="max_quants"):
        must_ask(expected, config, threshold=0.05, max_quants=max_quants, can_ask=can_ask)


@pytest.mark.parametrize(
    ("expected", "text"),
    [(DEAR, "0.36"), (Estimate(0.09601, 0, ""), "0.0961"), (UNKNOWN, "set to the most they would spend")],
)
def test_the_suggested_max_quants_covers_the_estimate(expected: Estimate, text: str) -> None:
    assert suggestion(expected) == text


@pytest.mark.parametrize(
    ("now", "agreed", "is_agreed"),
    [
        (DEAR, DEAR, True),
        (CHEAP, DEAR, True),
        (DEAR, CHEAP, False),
        (DEAR, None, False),
        (UNKNOWN, DEAR, False),
        (UNKNOWN, UNKNOWN, True),
        (DEAR, UNKNOWN, True),
        (AT_LEAST, UNKNOWN, False),
        (DEAR, AT_LEAST, False),
        (Estimate(0.36, 0.3, "formula"), AT_LEAST, True),
        (Estimate(0.36, None, "history"), AT_LEAST, True),
        (CHEAP, AT_LEAST, True),
    ],
)
def test_a_yes_covers_what_it_was_given_for_and_nothing_dearer(
    now: Estimate, agreed: Estimate | None, is_agreed: bool
) -> None:
    if is_agreed:
        check_agreed(now, agreed)
        return
    why = "changed meanwhile" if agreed is not None else "needs the user's consent"
    with pytest.raises(NeedsConsent, match=rf"{why}.*Nothing was sent\."):
        check_agreed(now, agreed)
