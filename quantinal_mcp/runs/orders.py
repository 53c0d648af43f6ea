"""What a caller wants of a tracker, what is planned for it, and what became of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal

import anyio

from quantinal_mcp.journal.records import Intent, Match
from quantinal_mcp.models.common import Object
from quantinal_mcp.models.runs import Run
from quantinal_mcp.money.ceilings import Ceilings, check_agreed
from quantinal_mcp.money.cost import Estimate, needs_consent
from quantinal_mcp.runs.progress import Tell
from quantinal_mcp.runs.quotes import Quote

GRACE_SECONDS = 10.0
_SHORTEST_LOOK_SECONDS = 1.0

Mode = Literal["async", "sync", "sync_then_polling", "async_then_polling"]


@dataclass(frozen=True, slots=True)
class Order:
    """What a caller wants: one run of a tracker. `max_quants` is the most they agreed to.

    `sync` waits for its end. `detached` says that the caller may leave before, and come back for it: so no request to
    the service needs to be held for it.
    """

    tracker_id: str
    sync: bool = False
    context: Object | None = None
    max_quants: float | None = None
    again: bool = False
    detached: bool = False


@dataclass(frozen=True, slots=True)
class TakeOver:
    """The call repeats an earlier one: nothing is sent, its run is told."""

    intent_id: str


@dataclass(frozen=True, slots=True)
class Send:
    """A run is to be triggered at this quote. `seen` are the tracker's intents then, None if they do not matter."""

    quote: Quote
    seen: frozenset[str] | None


Plan = TakeOver | Send

Learn = Callable[[Intent | None, bool], None]
"""Told which trigger a call is about, as soon as that is on disk, and whether it is an earlier one that was taken over;
None if that came to nothing."""


def nobody_learns(_intent: Intent | None, _took_over: bool) -> None:
    """The default of `Learn`."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The run of a trigger, as far as it is known, and how it reached its caller.

    `took_over` says that nothing was sent for it now.
    """

    run: Run
    intent: Intent
    expected: Estimate
    mode: Mode
    polls: int
    seconds: float
    match: Match | None
    took_over: bool


@dataclass(frozen=True, slots=True)
class Call:
    """One call that is being carried out, until `deadline` (seconds on the event loop's clock).

    `agreed` is the cost that a person agreed to in this call, `spend` uses their answer up; where the client cannot
    ask, `max_quants` says what they agreed to. `learn` hears which trigger it is about.
    """

    order: Order
    deadline: float
    tell: Tell
    agreed: Estimate | None
    can_ask: bool
    spend: Callable[[], Awaitable[None]]
    learn: Learn = nobody_learns
    started: float = field(default_factory=anyio.current_time)

    @property
    def last_moment(self) -> float:
        """When it is answered at the latest: looking for a lost run may go on after the deadline."""
        return max(self.deadline + GRACE_SECONDS, anyio.current_time() + _SHORTEST_LOOK_SECONDS)

    def check(self, quoted: Quote, ceilings: Ceilings) -> None:
        """Refuse right before a trigger is sent what it may not cost, or what nobody agreed to.

        Raises:
            OverBudget, NeedsConsent: As `Ceilings.check` and `check_agreed` do.
        """
        ceilings.check(quoted.expected, self.order.max_quants)
        is_allowed = not self.can_ask and self.order.max_quants is not None
        if not is_allowed and needs_consent(quoted.expected, quoted.config, ceilings.ask_above):
            check_agreed(quoted.expected, self.agreed)
