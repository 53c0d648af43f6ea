"""trigger_run: plan, ask, send once, and answer one shape whatever happens on the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import anyio
from mcp.server.mcpserver import Elicit, Resolve
from pydantic import Field
from typing_extensions import TypedDict

from quantinal_mcp.errors import RequestTimeout
from quantinal_mcp.models.common import Object, TrackerId
from quantinal_mcp.models.runs import Run, has_ended
from quantinal_mcp.models.text import on_one_line
from quantinal_mcp.money.ceilings import check_ceilings, must_ask
from quantinal_mcp.money.cost import Estimate
from quantinal_mcp.protocol.arguments import MaxQuants, Wait
from quantinal_mcp.protocol.caller import AppContext, Caller, app_of, can_ask, tell_through
from quantinal_mcp.protocol.next_steps import after_run
from quantinal_mcp.protocol.offers import CREATES, Offer
from quantinal_mcp.protocol.questions import Answer, Confirm, NotAsked, require_yes
from quantinal_mcp.runs import trigger
from quantinal_mcp.runs.matching import Ticket
from quantinal_mcp.runs.progress import telling


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

    mode: trigger.Mode
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
class Plan:
    """What this call is going to do: take over an earlier trigger, or send one. `left` is its time in seconds."""

    begun: float

    recalled: Ticket | None
    quote: trigger.Quote | None
    left: float


async def plan_run(
    ctx: AppContext, caller: Caller, tracker_id: str, sync: bool, wait_seconds: float | None, max_quants: float | None
) -> Plan:
    """Look for a run whose caller never learnt it; otherwise estimate a new one and check it against the ceilings."""
    wait = wait_seconds if wait_seconds is not None and sync else app_of(ctx).settings.wait_seconds
    started = anyio.current_time()
    deadline = started + wait
    quote: trigger.Quote | None = None
    async with telling(tell_through(ctx, started), lambda: "reading the tracker, its runs and the prices"):
        recalled = await trigger.recall(caller, tracker_id, deadline)
        if recalled is None:
            with anyio.CancelScope(deadline=max(deadline, started + 1)):
                quote = await trigger.quote(caller, tracker_id)
    if recalled is None:
        if quote is None:
            raise RequestTimeout("The tracker could not be read in time.", "Nothing was sent; try again in a minute.")
        check_ceilings(quote.expected, max_quants, caller.max_quants_per_run)
        caller.ledger.release(caller.ledger.reserve(caller.ledger.amount(quote.expected, max_quants)))
    return Plan(started, recalled, quote, max(0.0, deadline - anyio.current_time()))


async def ask_run(
    ctx: AppContext, plan: Annotated[Plan, Resolve(plan_run)], max_quants: float | None
) -> NotAsked | Elicit[Confirm]:
    """Ask the user where the run is dear or of unknown cost."""
    if plan.quote is None:
        return NotAsked()
    expected, config = plan.quote.expected, plan.quote.config
    threshold = app_of(ctx).settings.confirm_above_quants
    if not must_ask(expected, config, threshold=threshold, max_quants=max_quants, can_ask=can_ask(ctx)):
        return NotAsked()
    name = plan.quote.tracker.get("name") or plan.quote.tracker["tracker_id"]
    return Elicit(
        f'Run tracker "{on_one_line(name)}" ({config.reasoning_mode} reasoning)? It costs {expected}.', Confirm
    )


async def trigger_run(
    ctx: AppContext,
    caller: Caller,
    plan: Annotated[Plan, Resolve(plan_run)],
    answer: Annotated[Answer, Resolve(ask_run)],
    tracker_id: TrackerId,
    sync: bool = False,
    context: Annotated[Object, Field(description="notes for this run")] | None = None,
    wait_seconds: Wait | None = None,
    max_quants: MaxQuants | None = None,
) -> TriggeredRun:
    """Run a tracker. COSTS QUANTS: expected and charged cost are in the answer; dear runs need the user's consent.
    sync=true waits for the result (up to wait_seconds, default 45) and otherwise says how to go on; sync=false returns
    at once. Never repeat it to wait: use wait_for_run."""
    require_yes(ctx, answer)
    deadline = anyio.current_time() + plan.left
    adopted = plan.recalled is not None
    if plan.recalled is not None:
        ticket = plan.recalled
    else:
        assert plan.quote is not None  # noqa: S101 - one of both is always there
        ticket = await trigger.send(
            caller, plan.quote, sync=sync, context=context, max_quants=max_quants, deadline=deadline
        )
    delivery = await trigger.follow(
        caller, ticket, adopted=adopted, sync=sync, deadline=deadline, tell=tell_through(ctx, plan.begun)
    )
    run = delivery.run
    ignored = "wait_seconds is ignored with sync=false." if wait_seconds is not None and not sync else None
    return {
        **trimmed(run),
        "cost": {**cost_of(delivery.expected, run), "budget_left": caller.ledger.left},
        "delivery": {
            "mode": delivery.mode,
            "polls": delivery.polls,
            "seconds": delivery.seconds,
            "match": delivery.match if ticket.lost is not None else None,
        },
        "note": " ".join(filter(None, (_about(delivery), ignored))) or None,
        "next_step": after_run(tracker_id, run),
    }


def _about(delivery: trigger.Delivery) -> str:
    notes: list[str] = []
    if delivery.adopted:
        notes.append(
            "This is the run of an earlier trigger_run whose caller never learnt of it; nothing was sent or charged "
            "now. To start another run, call trigger_run again."
        )
    if delivery.match == "likely":
        notes.append(
            "The answer was lost and this run was found in the list: likely the one triggered, not certainly, since "
            "another person or the schedule may have started one at the same moment."
        )
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


def trimmed(run: Run) -> Run:
    """Return a run without what a model rarely needs; an id is forty tokens, and its space is its tracker's."""
    kept: Run = {**run}
    kept.pop("config_snapshot", None)
    kept.pop("notification_delivery", None)
    kept.pop("space_id", None)
    return kept


TOOLS = (Offer(trigger_run, "Trigger run (costs quants)", "runs", CREATES),)
