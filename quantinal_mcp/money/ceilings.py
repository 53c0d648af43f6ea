"""Whether a run may be triggered, and whether a person has to be asked first: decisions without I/O.

Source: section «Money» of the README. Amounts are in quants.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime

from quantinal_mcp.errors import NeedsConsent, OverBudget
from quantinal_mcp.journal.records import Allowance
from quantinal_mcp.money.budget import Budget
from quantinal_mcp.money.cost import Config, Estimate, needs_consent, quants

_NOISE = 1e-9


@dataclass(frozen=True, slots=True)
class Ceilings:
    """The operator's ceilings, which nothing that a model says can raise: for one run, and for a period.

    Above `ask_above` a person has to agree.
    """

    per_run: float | None = None
    budget: Budget | None = None
    ask_above: float = 0.05

    def check(self, expected: Estimate, max_quants: float | None) -> None:
        """Refuse what is above the ceiling for one run, or above the call's own.

        Raises:
            OverBudget: Above `QUANTINAL_MAX_QUANTS_PER_RUN`, or of unknown cost where that is set.
            NeedsConsent: Above `max_quants`.
        """
        known = expected.estimated_quants if expected.estimated_quants is not None else expected.at_least
        if self.per_run is not None:
            step = "Tell the user: only the operator can change QUANTINAL_MAX_QUANTS_PER_RUN. Nothing was sent."
            if known is not None and known > self.per_run:
                raise OverBudget(
                    f"This run would cost {expected}; the ceiling for one run is {quants(self.per_run)}.", step
                )
            if expected.estimated_quants is None:
                raise OverBudget(
                    f"The cost of this run is unknown and the ceiling for one run is {quants(self.per_run)}.",
                    "A completed run of the same configuration, started in the console, would make it known. "
                    "Nothing was sent.",
                )
        if max_quants is not None and known is not None and known > max_quants:
            raise NeedsConsent(
                f"This run would cost {expected}, which is above max_quants {quants(max_quants)}.",
                "Ask the user whether to raise max_quants. Nothing was sent.",
            )

    def to_reserve(self, expected: Estimate, max_quants: float | None) -> float:
        """Return what to count against the budget: the estimate, else what the caller allows, else what is certain.

        Raises:
            OverBudget: There is a budget, and neither the cost is known nor what the caller allows.
        """
        if expected.estimated_quants is not None:
            return expected.estimated_quants
        if max_quants is not None:
            return max_quants
        if self.budget is not None:
            raise OverBudget(
                "The cost of this run is unknown, so the budget cannot vouch for it.",
                "Give max_quants, the amount to count against the budget. Nothing was sent.",
            )
        return expected.at_least or 0.0

    def allowance(self, now: float) -> Allowance | None:
        """Return the budget of the period in which `now` lies."""
        return None if self.budget is None else self.budget.allowance(now)

    def check_left(self, amount: float, left: float, allowance: Allowance) -> None:
        """Refuse what the budget does not cover.

        Raises:
            OverBudget: It does not.
        """
        if amount > left + _NOISE:
            raise OverBudget(
                f"{quants(amount)} quants are expected and {quants(max(0.0, left))} of the budget of {self.budget} "
                f"are left until {datetime.fromtimestamp(allowance.until, UTC):%Y-%m-%d %H:%M} UTC.",
                "Tell the user; only the operator can raise QUANTINAL_BUDGET_QUANTS, and nothing was sent.",
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


def check_agreed(expected: Estimate, agreed: Estimate | None) -> None:
    """Refuse what became dearer since a person agreed to it; `agreed` is None where nobody was asked.

    Raises:
        NeedsConsent: It did.
    """
    if agreed is not None and not _is_dearer(expected, agreed):
        return
    if agreed is None:
        raise NeedsConsent(
            f"A run of this tracker would cost {expected} now, which needs the user's consent.",
            "Nothing was sent. Call again, so that the user can be asked.",
        )
    raise NeedsConsent(
        f"The tracker changed meanwhile: a run would cost {expected} now, and {agreed} was agreed to.",
        "Nothing was sent. Call again, so that the user can be asked anew.",
    )


def _is_dearer(now: Estimate, then: Estimate) -> bool:
    # Who agreed to an unknown surcharge agreed to what is known without it, and not to more of that.
    if then.estimated_quants is None and (now.estimated_quants is None or then.at_least is not None):
        return (now.at_least or 0.0) > (then.at_least or 0.0) + _NOISE
    if then.estimated_quants is None:
        return False
    return now.estimated_quants is None or now.estimated_quants > then.estimated_quants + _NOISE


def suggestion(expected: Estimate) -> str:
    """Return the `max_quants` to put to the user: the estimate, rounded up to four digits."""
    known = expected.estimated_quants if expected.estimated_quants is not None else expected.at_least
    if known is None or expected.estimated_quants is None:
        return "set to the most they would spend"
    return quants(math.ceil(known * 10_000 - 1e-6) / 10_000)
