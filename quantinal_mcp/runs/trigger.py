"""Triggering a run: plan it, send it once, and carry it to its result through whatever ends the wait.

Source: POST and GET /api/trackers/{tracker_id}/runs. Times are in seconds on the event loop's clock.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import anyio

from quantinal_mcp.accounts.account import Account
from quantinal_mcp.client.pages import list_all_runs
from quantinal_mcp.errors import OutcomeUnknown, QuantinalError
from quantinal_mcp.models.common import Object
from quantinal_mcp.models.runs import Run, has_ended
from quantinal_mcp.models.trackers import Tracker
from quantinal_mcp.money.ceilings import check_ceilings
from quantinal_mcp.money.cost import Config, Estimate, estimate
from quantinal_mcp.money.prices import prices
from quantinal_mcp.runs import durations
from quantinal_mcp.runs.matching import Match, Ticket
from quantinal_mcp.runs.progress import Tell, telling
from quantinal_mcp.runs.watch import Watch

Mode = Literal["async", "sync", "sync_then_polling"]

_SNAPSHOT_FRESH_SECONDS = 1.0
_SHORTEST_POST_SECONDS = 1.0
_OTHERS_POST_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Quote:
    """What a run of this tracker is expected to cost and to take, and the runs listed at that moment."""

    tracker: Tracker
    config: Config
    expected: Estimate
    typical_seconds: float | None
    listed: frozenset[str]
    listed_at: float


@dataclass(frozen=True, slots=True)
class Delivery:
    """How a trigger's run reached its caller."""

    run: Run
    expected: Estimate
    mode: Mode
    polls: int
    seconds: float
    match: Match
    adopted: bool


async def quote(account: Account, tracker_id: str, reasoning_mode: str | None = None) -> Quote:
    """Read the tracker, the prices and the past runs, and estimate one run from them.

    Raises what reading the tracker or listing its runs raises: without that list a lost run could not be found.
    """
    tracker = await account.client.get_tracker(tracker_id)
    listed = await list_all_runs(account.client, tracker_id)
    listed_at = anyio.current_time()
    config = Config.of(tracker.get("agent_config"))
    if reasoning_mode is not None:
        config = config.with_mode(reasoning_mode)
    return Quote(
        tracker,
        config,
        estimate(config, await prices(account.client), listed),
        durations.typical(listed, config.reasoning_mode),
        frozenset(run["run_id"] for run in listed),
        listed_at,
    )


async def recall(account: Account, tracker_id: str, deadline: float) -> Ticket | None:
    """Return the trigger of a caller who never learnt its run, its run found if it can be.

    None where there is none, or where its caller was told before that its outcome is unknown and no run showed up.

    Raises:
        OutcomeUnknown: Such a trigger exists and no run of it shows up; the next call goes through.
    """
    ticket = account.desk.recall(tracker_id)
    if ticket is None or not ticket.is_lost:
        return ticket
    kept = False
    try:
        if await account.desk.find(ticket, min(deadline, anyio.current_time())):
            kept = True
            return ticket
        if ticket.told_unknown:
            account.desk.close(ticket)
            kept = True
            return None
        raise _unknown(ticket)
    finally:
        if not kept:
            account.desk.remember(ticket)


async def send(
    account: Account,
    planned: Quote,
    *,
    sync: bool,
    context: Object | None,
    max_quants: float | None,
    deadline: float,
) -> Ticket:
    """Reserve the quants and POST the trigger, once.

    Raises:
        OverBudget: The budget does not cover it; nothing was sent.
        NeedsConsent: It would cost more than `max_quants`; nothing was sent.
    """
    tracker_id = planned.tracker["tracker_id"]
    check_ceilings(planned.expected, max_quants, account.max_quants_per_run)
    reservation = account.ledger.reserve(account.ledger.amount(planned.expected, max_quants))
    before = planned.listed
    sent = False
    try:
        if anyio.current_time() - planned.listed_at > _SNAPSHOT_FRESH_SECONDS:
            before = frozenset(run["run_id"] for run in await list_all_runs(account.client, tracker_id))
        now = anyio.current_time()
        ticket = Ticket(tracker_id, sync, before, reservation, planned.expected, planned.typical_seconds, now)
        left = deadline - now
        # A sync wait ends early enough for its run to be found before the caller's time is over.
        seconds = max(_SHORTEST_POST_SECONDS, left - min(3.0, left / 5)) if sync else max(left, 10.0)
        account.desk.send(ticket, context, seconds)
        sent = True
        return ticket
    finally:
        if not sent:
            account.ledger.release(reservation)


async def follow(
    account: Account, ticket: Ticket, *, adopted: bool, sync: bool, deadline: float, tell: Tell
) -> Delivery:
    """Return the run of a trigger: its result if it ends before `deadline`, else its state.

    A caller who is cancelled here leaves the trigger remembered; the run goes on.

    Raises:
        OutcomeUnknown: The answer was lost and no run of it showed up.
        QuantinalError: The service refused the trigger; nothing was charged.
    """
    started = anyio.current_time()
    learnt = False
    try:
        async with telling(tell, lambda: _message(account, ticket)):
            polls, run = await _reach(account, ticket, adopted=adopted, wait=sync, deadline=deadline)
        learnt = True
        return Delivery(
            run,
            ticket.expected,
            "async" if not ticket.sync else "sync" if ticket.lost is None and not adopted else "sync_then_polling",
            polls,
            round(anyio.current_time() - started, 1),
            ticket.match,
            adopted,
        )
    finally:
        if learnt:
            account.desk.close(ticket)
        else:
            account.desk.remember(ticket)


async def _reach(account: Account, ticket: Ticket, *, adopted: bool, wait: bool, deadline: float) -> tuple[int, Run]:
    # Its own POST is bounded and settles in time; another caller's may be a sync one that goes on for minutes.
    with anyio.move_on_after(_OTHERS_POST_SECONDS if adopted else math.inf):
        await ticket.settled.wait()
    if not ticket.settled.is_set():
        ticket.post.cancel()
        await ticket.settled.wait()
    if ticket.refusal is not None:
        raise ticket.refusal
    if ticket.is_lost:
        await account.desk.find(ticket, deadline)
    if ticket.run_id is None:
        raise _unknown(ticket)
    watch = account.watches.of(ticket.tracker_id, ticket.run_id, ticket.sent_at, ticket.typical_seconds)
    watch.is_typical_asked = True  # when it was estimated
    polls_before = watch.polls
    if watch.run is None and ticket.answer is not None:
        account.watches.seen(watch, ticket.answer)
    if wait:
        await account.watches.wait(watch, deadline)
    elif adopted or watch.run is None:
        await account.watches.look(watch)
    run = watch.run or {"run_id": ticket.run_id, "tracker_id": ticket.tracker_id, "status": "pending"}
    if has_ended(run) and run.get("quants_used") is None:
        run = await _with_charge(account, ticket.tracker_id, run, deadline)
    return watch.polls - polls_before, run


async def _with_charge(account: Account, tracker_id: str, run: Run, deadline: float) -> Run:
    """A sync answer does not say what it cost; reading the run does. Not knowing is no reason to fail."""
    with anyio.CancelScope(deadline=max(deadline, anyio.current_time() + 2)):
        try:
            charged = await account.client.get_run(tracker_id, run["run_id"])
        except QuantinalError:
            return run
        return {**run, **charged}
    return run


def _message(account: Account, ticket: Ticket) -> str:
    if ticket.run_id is not None:
        return account.watches.of(ticket.tracker_id, ticket.run_id, ticket.sent_at, ticket.typical_seconds).message()
    age = durations.spell(anyio.current_time() - ticket.sent_at)
    if ticket.is_lost:
        return f"the answer was lost after {age}; looking for the run"
    usual = ticket.typical_seconds
    return f"running {age}" + (f", such runs usually take about {durations.spell(usual)}" if usual else "")


def _unknown(ticket: Ticket) -> OutcomeUnknown:
    ticket.told_unknown = True
    why = ticket.lost.message if ticket.lost else "no answer came"
    return OutcomeUnknown(
        f"The trigger was sent once, its answer was lost ({why}), and no run of it has shown up.",
        f"It may have run and been charged: look with list_runs(tracker_id={ticket.tracker_id}) in a minute before "
        "anything else. trigger_run looks again first and starts another run only if there is still none.",
        lost=ticket.lost,
    )


async def wait_for(account: Account, tracker_id: str, run_id: str, deadline: float, tell: Tell) -> Run:
    """Return a run once it has ended, or its state at `deadline`.

    Raises what `QuantinalClient.get_run` raises for a lasting reason.
    """
    watch = account.watches.of(tracker_id, run_id)
    async with telling(tell, watch.message):
        if watch.typical_seconds is None and not watch.is_typical_asked:
            watch.is_typical_asked = True
            with anyio.CancelScope(deadline=deadline):
                watch.typical_seconds = await _typical(account, watch)
        return await account.watches.wait(watch, deadline)


async def _typical(account: Account, watch: Watch) -> float | None:
    """How long runs like this one took, if that can be read."""
    run = await account.watches.look(watch)
    if run is None or watch.is_finished:
        return None
    try:
        past = await account.client.list_runs(watch.tracker_id, {"status": "completed", "page": 1, "page_size": 50})
    except QuantinalError:
        return None
    return durations.typical(past["data"], durations.mode_of(run))
