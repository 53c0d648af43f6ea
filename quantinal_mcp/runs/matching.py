"""One trigger and what is known of its run, and which listed run belongs to which trigger: decisions without I/O."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import anyio

from quantinal_mcp.errors import QuantinalError
from quantinal_mcp.models.runs import Run
from quantinal_mcp.money.budget import Reservation
from quantinal_mcp.money.cost import Estimate

Match = Literal["certain", "likely"]


@dataclass(eq=False, slots=True)
class Ticket:
    """A trigger of ours from before its POST until its caller has learnt its run.

    `before` are the runs that the tracker listed before the POST. While `settled` is not set the POST is in flight;
    afterwards `refusal` or `lost` tells how it failed, and `answer` is its run as first seen, from the POST or from
    the list.
    """

    tracker_id: str
    sync: bool
    before: frozenset[str]
    reservation: Reservation
    expected: Estimate
    typical_seconds: float | None
    sent_at: float
    settled: anyio.Event = field(default_factory=anyio.Event)
    post: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    answer: Run | None = None
    refusal: QuantinalError | None = None
    lost: QuantinalError | None = None
    run_id: str | None = None
    match: Match = "certain"
    told_unknown: bool = False

    @property
    def is_lost(self) -> bool:
        """Whether its answer was lost and its run is still to be found."""
        return self.lost is not None and self.run_id is None


def could_be(run: Run, ticket: Ticket) -> bool:
    """Whether `run` can be the one that `ticket` began: new since, and not marked as somebody else's."""
    marks = run.get("config_snapshot") or {}
    trigger_type = (marks.get("trigger_type") or "").lower()
    sync = marks.get("sync")
    return (
        run["run_id"] not in ticket.before
        and not trigger_type.startswith(("sched", "cron", "auto"))
        and (sync is None or sync == ticket.sync)
    )


def is_marked(run: Run, ticket: Ticket) -> bool:
    """Whether `run` carries the marks of a trigger like `ticket`: manual, and of the same sync mode."""
    marks = run.get("config_snapshot") or {}
    return marks.get("trigger_type") == "manual" and marks.get("sync") == ticket.sync


def assign(
    lost: Sequence[Ticket], in_flight: Iterable[Ticket], listed: Iterable[Run], claimed: frozenset[str]
) -> dict[Ticket, tuple[Run, Match]]:
    """Give lost triggers their runs: each its own, and none that a trigger still in flight may yet claim.

    A match is certain where one sync trigger was lost and one run fits it that says it is manual and synchronous;
    nothing else tells ours from another person's.
    """
    rivals = list(in_flight)
    free = [run for run in listed if run["run_id"] not in claimed and not any(could_be(run, rival) for rival in rivals)]
    given: dict[Ticket, tuple[Run, Match]] = {}
    # The latest snapshot leaves the fewest choices; serving it first leaves the others theirs.
    for ticket in sorted(lost, key=lambda ticket: len(ticket.before), reverse=True):
        fits = [run for run in free if could_be(run, ticket)]
        if not fits:
            continue
        best = min(fits, key=lambda run: (not is_marked(run, ticket), run.get("started_at") or "~", run["run_id"]))
        alone = len(fits) == 1 and len(lost) == 1
        given[ticket] = (best, "certain" if alone and ticket.sync and is_marked(best, ticket) else "likely")
        free.remove(best)
    return given
