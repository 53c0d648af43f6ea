"""The operator's budget: quants are reserved before a run is triggered and settled when its charge is seen."""

from __future__ import annotations

from quantinal_mcp.errors import OverBudget
from quantinal_mcp.models.runs import Run, has_ended
from quantinal_mcp.money.cost import Estimate, quants

_NOISE = 1e-9


class Reservation:
    """Quants put aside for one trigger, until it is known what its run was charged."""

    __slots__ = ("amount",)

    def __init__(self, amount: float) -> None:
        self.amount = amount


class Ledger:
    """What one account has spent and reserved in this process. `limit` is in quants; None binds nothing."""

    def __init__(self, limit: float | None) -> None:
        self._limit = limit
        self._settled = 0.0
        self._held: set[Reservation] = set()
        self._by_run: dict[str, Reservation] = {}

    @property
    def committed(self) -> float:
        """Quants spent, or reserved and not yet settled."""
        return self._settled + sum(reservation.amount for reservation in self._held)

    @property
    def left(self) -> float | None:
        """Quants left of the budget, or None where there is none."""
        return None if self._limit is None else max(0.0, self._limit - self.committed)

    def amount(self, expected: Estimate, max_quants: float | None) -> float | None:
        """Return what to reserve: the estimate, else what the caller allows, else a lower bound if nothing binds."""
        if expected.estimated_quants is not None:
            return expected.estimated_quants
        return max_quants if max_quants is not None or self._limit is not None else expected.at_least

    def reserve(self, amount: float | None) -> Reservation:
        """Put `amount` aside; without an await between the check and the reservation, no race overruns it.

        Raises:
            OverBudget: The budget does not cover it, or the amount is unknown.
        """
        left = self.left
        if left is not None:
            step = "Tell the user; only the operator can raise QUANTINAL_BUDGET_QUANTS, and nothing was sent."
            if amount is None:
                raise OverBudget(
                    "The cost of this run is unknown, so the budget cannot vouch for it.",
                    "Give max_quants, the amount to count against the budget. Nothing was sent.",
                )
            if amount > left + _NOISE:
                raise OverBudget(
                    f"{quants(amount)} quants are expected and {quants(left)} of the budget of "
                    f"{quants(self._limit or 0)} are left.",
                    step,
                )
        reservation = Reservation(amount or 0.0)
        self._held.add(reservation)
        return reservation

    def release(self, reservation: Reservation) -> None:
        """Give back what was reserved, since nothing was sent or executed."""
        self._held.discard(reservation)

    def bind(self, reservation: Reservation, run_id: str) -> None:
        """Say which run a reservation paid for."""
        self._by_run[run_id] = reservation

    def book(self, run: Run) -> None:
        """Take note of what a run was charged, whichever tool saw it; unknown charges stay reserved."""
        reservation = self._by_run.get(run["run_id"])
        charged = run.get("quants_used")
        if reservation is None or charged is None:
            return
        if not has_ended(run):
            reservation.amount = max(reservation.amount, charged)
            return
        del self._by_run[run["run_id"]]
        self._held.discard(reservation)
        self._settled += charged
