"""trigger_run: plan, ask, send once, and answer one shape whatever happens on the way."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, cast

import anyio
from mcp.server.mcpserver import Elicit, Resolve
from pydantic import Field
from typing_extensions import TypedDict

from quantinal_mcp.errors import InvalidRequest
from quantinal_mcp.models.common import Object, TrackerId, iso_minute
from quantinal_mcp.models.runs import Run, has_ended
from quantinal_mcp.money.cost import Estimate, quants
from quantinal_mcp.protocol.answers import spend
from quantinal_mcp.protocol.arguments import MaxQuants, Wait
from quantinal_mcp.protocol.caller import AppContext, Caller, app_of, tell_through
from quantinal_mcp.protocol.detached import LONGEST_HOLD, detaching
from quantinal_mcp.protocol.next_steps import after_run
from quantinal_mcp.protocol.offers import CREATES, Offer
from quantinal_mcp.protocol.questions import Answer, Confirm, NotAsked, ask, check_yes, could_ask
from quantinal_mcp.runs.orders import Mode, Order, Outcome, Plan, nobody_learns
from quantinal_mcp.runs.progress import telling

_NOISE = 1e-9
_NOT_NOTES = frozenset({"reasoning_mode", "skills", "linked_trackers", "sync", "max_quants", "again"})


class Cost(TypedDict, total=False):
    """What a run was expected to cost and what it did, in quants; and what is left of the operator's budget."""

    estimated_quants: float | None
    at_least: float | None
    basis: str
    unknowns: list[str]
    charged_quants: float | None
    budget_left: float | None


class DeliveryAnswer(TypedDict, total=False):
    """How the run reached its caller."""

    mode: Mode
    polls: int
    seconds: float
    match: str | None


class TriggeredRun(Run, total=False):
    """A triggered run: its result, or its state and how to go on."""

    cost: Cost
    delivery: DeliveryAnswer
    note: str | None
    next_step: str


@dataclass(frozen=True, slots=True)
class Planned:
    """What this call is going to do, when it began, and how much of its time is left, in seconds."""

    order: Order
    plan: Plan
    begun: float
    left: float


async def plan_run(
    ctx: AppContext,
    caller: Caller,
    tracker_id: str,
    sync: bool,
    context: Object | None,
    wait_seconds: float | None,
    max_quants: float | None,
    again: bool,
) -> Planned:
    """Look whether the call repeats an earlier one; otherwise estimate a run and check it against the ceilings."""
    wait = wait_seconds if wait_seconds is not None and sync else app_of(ctx).settings.wait_seconds
    if is_detached := detaching(ctx, wait_seconds) is not None:
        wait = max(wait, LONGEST_HOLD)
    if misplaced := sorted(_NOT_NOTES & (context or {}).keys()):
        raise InvalidRequest(
            f"context holds notes for the run, and {misplaced[0]} in it would change nothing.",
            "Nothing was sent. reasoning_mode, skills and linked_trackers are the tracker's: update_tracker(tracker_id="
            f"{tracker_id}, agent_config={{…}}) changes them; sync, max_quants and again are arguments of trigger_run.",
        )
    order = Order(tracker_id, sync or is_detached, context, max_quants, again, is_detached)
    begun = anyio.current_time()
    async with telling(tell_through(ctx, begun), lambda: "reading the tracker, its runs and the prices"):
        plan = await caller.triggers.plan(order, begun + wait)
    return Planned(order, plan, begun, max(0.0, begun + wait - anyio.current_time()))


async def ask_run(
    ctx: AppContext, caller: Caller, planned: Annotated[Planned, Resolve(plan_run)]
) -> NotAsked | Confirm | Elicit[Confirm]:
    """Ask the user where the run is dear or of unknown cost."""
    return await ask(ctx, lambda can_ask: caller.triggers.question(planned.plan, planned.order, can_ask=can_ask))


async def trigger_run(
    ctx: AppContext,
    caller: Caller,
    planned: Annotated[Planned, Resolve(plan_run)],
    answer: Annotated[Answer, Resolve(ask_run)],
    tracker_id: TrackerId,  # noqa: ARG001 - this and the following are read by plan_run
    sync: bool = False,
    context: Annotated[Object, Field(description="notes for this run")] | None = None,
    wait_seconds: Wait | None = None,
    max_quants: MaxQuants | None = None,  # noqa: ARG001
    again: Annotated[bool, Field(description="another run beside an earlier one")] = False,  # noqa: ARG001
) -> TriggeredRun:
    """Run a tracker. COSTS QUANTS: expected and charged cost are in the answer; dear runs need the user's consent.
    sync=true waits for the result (up to wait_seconds, default 45) and otherwise says how to go on; sync=false returns
    at once. Never repeat it to wait: use wait_for_run. A repeat is answered with the run that is already there."""
    detached = detaching(ctx, wait_seconds)
    outcome = await caller.triggers.carry_out(
        planned.plan,
        planned.order,
        is_agreed=check_yes(answer),
        can_ask=could_ask(answer),
        spend=lambda: spend(ctx, caller),
        deadline=anyio.current_time() + planned.left,
        tell=tell_through(ctx, planned.begun),
        learn=detached.triggers if detached is not None else nobody_learns,
    )
    notes = [
        "This call's context was not used." if outcome.took_over and context else None,
        "wait_seconds is ignored with sync=false." if wait_seconds is not None and not sync else None,
    ]
    return triggered(outcome, await caller.triggers.budget_left(), " ".join(filter(None, notes)))


def triggered(outcome: Outcome, budget_left: float | None = None, note: str | None = None) -> TriggeredRun:
    """Return the answer about a trigger's run: the run, what it cost, and how it reached its caller."""
    return {
        **trimmed(outcome.run),
        "cost": {**_without_reasons(cost_of(outcome.expected, outcome.run)), "budget_left": budget_left},
        "delivery": {
            "mode": outcome.mode,
            "polls": outcome.polls,
            "seconds": outcome.seconds,
            "match": outcome.match,
        },
        "note": " ".join(filter(None, (_about(outcome), note))) or None,
        "next_step": after_run(outcome.intent.tracker_id, outcome.run),
    }


def _about(outcome: Outcome) -> str:
    notes: list[str] = []
    if outcome.took_over:
        begun = iso_minute(datetime.fromtimestamp(outcome.intent.begun_at, UTC))
        notes.append(
            f"NO NEW RUN was started or charged: this is the one of an earlier trigger_run, at {begun}, whose answer "
            "may not have been read. again=true starts another."
        )
    if outcome.match == "likely":
        notes.append(
            "The answer was lost and this run was found in the list: likely the one triggered, not certainly, since "
            "another person or the schedule may have started one at the same moment."
        )
    charged = (cost_of(outcome.expected, outcome.run)).get("charged_quants")
    expected = outcome.expected.estimated_quants
    if charged is not None and expected is not None and charged > expected + _NOISE:
        notes.append(f"It was charged {quants(charged)} quants, {quants(charged - expected)} more than was estimated.")
    return " ".join(notes)


def cost_of(expected: Estimate, run: Run | None = None) -> Cost:
    """Return an estimate, and what the run was charged once that is known, in the one shape of all answers."""
    charged = run.get("quants_used") if run is not None and has_ended(run) else None
    return {
        "estimated_quants": expected.estimated_quants,
        "at_least": expected.at_least,
        "basis": expected.basis,
        "unknowns": list(expected.unknowns),
        "charged_quants": charged,
    }


def _without_reasons(cost: Cost) -> Cost:
    """Return what a run cost without why it was expected to, where such runs have always cost that."""
    kept: Cost = {**cost}
    if kept.get("basis", "").startswith("history"):
        kept.pop("basis", None)
        kept.pop("at_least", None)
    if not kept.get("unknowns"):
        kept.pop("unknowns", None)
    return kept


RARELY_NEEDED = frozenset({"config_snapshot", "notification_delivery", "space_id"})
"""Of a run: an id is forty tokens, and its space is its tracker's."""


def trimmed(run: Run) -> Run:
    """Return a run without what a model rarely needs."""
    return cast("Run", {name: value for name, value in run.items() if name not in RARELY_NEEDED})


TOOLS = (Offer(trigger_run, "Trigger run (costs quants)", "runs", CREATES),)
