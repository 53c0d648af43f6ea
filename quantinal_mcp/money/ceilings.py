"""Whether a run may be triggered, and whether a person has to be asked first: decisions without I/O.

Source: section «Money» of the README. Amounts are in quants.
"""

from __future__ import annotations

import math

from quantinal_mcp.errors import NeedsConsent, OverBudget
from quantinal_mcp.money.cost import Config, Estimate, needs_consent, quants


def check_ceilings(expected: Estimate, max_quants: float | None, per_run: float | None) -> None:
    """Refuse what is above a ceiling: the operator's, which nothing raises, or the call's own.

    Raises:
        OverBudget: Above `QUANTINAL_MAX_QUANTS_PER_RUN`, or of unknown cost where that is set.
        NeedsConsent: Above `max_quants`.
    """
    known = expected.estimated_quants if expected.estimated_quants is not None else expected.at_least
    if per_run is not None:
        step = "Tell the user: only the operator can change QUANTINAL_MAX_QUANTS_PER_RUN. Nothing was sent."
        if known is not None and known > per_run:
            raise OverBudget(f"This run would cost {expected}; the ceiling for one run is {quants(per_run)}.", step)
        if expected.estimated_quants is None:
            raise OverBudget(
                f"The cost of this run is unknown and the ceiling for one run is {quants(per_run)}.",
                "A completed run of the same configuration, started in the console, would make it known. "
                "Nothing was sent.",
            )
    if max_quants is not None and known is not None and known > max_quants:
        raise NeedsConsent(
            f"This run would cost {expected}, which is above max_quants {quants(max_quants)}.",
            "Ask the user whether to raise max_quants. Nothing was sent.",
        )


def must_ask(expected: Estimate, config: Config, *, threshold: float, max_quants: float | None, can_ask: bool) -> bool:
    """Whether the question has to be put to the user now.

    Raises:
        NeedsConsent: Consent is needed, the client cannot ask, and the call does not carry `max_quants`.
    """
    if not needs_consent(expected, config, threshold):
        return False
    if can_ask:
        return True
    if max_quants is None:
        raise NeedsConsent(
            f"This run would cost {expected}; above {quants(threshold)} the user has to agree.",
            f"Ask the user, then call again with max_quants {suggestion(expected)}. Nothing was sent.",
        )
    return False


def suggestion(expected: Estimate) -> str:
    """Return the `max_quants` to put to the user: the estimate, rounded up to four digits."""
    known = expected.estimated_quants if expected.estimated_quants is not None else expected.at_least
    if known is None or expected.estimated_quants is None:
        return "set to the most they would spend"
    return quants(math.ceil(known * 10_000 - 1e-6) / 10_000)
