"""Triggering a run: plan it, say what the user is to be asked, send it once, and carry it to its result.

Source: POST and GET /api/trackers/{tracker_id}/runs. Deadlines are seconds on the event loop's clock.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import get_args

import anyio
from anyio.abc import TaskStatus

from quantinal_mcp.client import QuantinalClient
from quantinal_mcp.errors import AlreadyRunning, Declined, Misconfigured, RequestTimeout
from quantinal_mcp.journal.protocol import Journal
from quantinal_mcp.journal.records import Intent, NotCovered, Snapshot, new_id
from quantinal_mcp.models.text import on_one_line
from quantinal_mcp.models.trackers import ReasoningMode
from quantinal_mcp.money.ceilings import Ceilings, must_ask
from quantinal_mcp.money.charges import Charges
from quantinal_mcp.runs.finding import Finder
from quantinal_mcp.runs.following import Follower
from quantinal_mcp.runs.orders import Call, Learn, Order, Outcome, Plan, Send, TakeOver, nobody_learns
from quantinal_mcp.runs.progress import Tell, telling
from quantinal_mcp.runs.quotes import Quote, before_sending, quote, renewed, still_agreed
from quantinal_mcp.runs.reading import Runs
from quantinal_mcp.runs.repeats import earlier, standing
from quantinal_mcp.runs.sending import Flight, Sender
from quantinal_mcp.runs.takeovers import TakeOvers
from quantinal_mcp.runs.waiting import Waits
from quantinal_mcp.runs.watch import Watches

logger = logging.getLogger(__name__)

_SHORTEST_POST_SECONDS = 1.0
_SHORTEST_TURN_SECONDS = 1.0
_ASYNC_POST_SECONDS = 5.0
_UNDERWAY_SECONDS = 2.0
_LATE_SECONDS = 5.0
"""However short a call's time is, another trigger may follow within this on one that came to nothing."""
_MOST_NAMED = 10_000


class Triggers:
    """One account's triggers: nothing is sent twice, and each run belongs to one trigger."""

    def __init__(
        self,
        client: QuantinalClient,
        journal: Journal,
        account: str,
        ceilings: Ceilings,
        runs: Runs,
        charges: Charges,
        sender: Sender,
    ) -> None:
        self._client = client
        self._journal = journal
        self._account = account
        self._ceilings = ceilings
        self._runs = runs
        self._charges = charges
        self._sender = sender
        self._finder = Finder(journal, account, runs, charges, sender)
        watches = Watches(runs)
        self.waits = Waits(journal, self._finder, runs, watches)
        self.follower = Follower(journal, account, self._finder, runs, watches, sender)
        self._takeovers = TakeOvers(journal, self._finder, self.follower, sender)
        self._named: OrderedDict[str, float] = OrderedDict()

    @property
    def is_idle(self) -> bool:
        """Whether nothing is in flight, so that forgetting these triggers would lose nothing."""
        return self._sender.is_idle

    def named(self, run_id: str) -> None:
        """A call named this run: whoever was told of it before has learnt it."""
        self._named[run_id] = self._journal.now()
        while len(self._named) > _MOST_NAMED:
            self._named.popitem(last=False)

    async def budget_left(self) -> float | None:
        """Return what is left of the budget in this period, or None where there is none, or the journal fails now."""
        allowance = self._ceilings.allowance(self._journal.now())
        if allowance is None:
            return None
        try:
            return max(0.0, await self._charges.left_of(allowance))
        except Misconfigured as error:
            logger.warning("what is left of the budget is not known: %s", error)
            return None

    async def plan(self, order: Order, deadline: float) -> Plan:
        """Find out whether this call repeats an earlier one; otherwise estimate a run and check the ceilings.

        Raises:
            AlreadyRunning: Somebody else's run of this tracker, begun by hand, has not ended.
            OverBudget: A ceiling of the operator stands in the way.
            NeedsConsent: It would cost more than `max_quants`.
            RequestTimeout: The tracker could not be read in time.
        """
        records = [] if order.again else await self._finder.records(order.tracker_id)
        if (repeated := earlier(records, self._journal.now(), self._named)) is not None:
            return TakeOver(repeated.intent_id)
        with before_sending(deadline):
            quoted = await quote(self._client, self._runs, order.tracker_id)
        if not order.again:
            # The list may show a run whose trigger another process wrote down since: it is ours, not somebody else's.
            records = await self._finder.records(order.tracker_id)
            repeated = earlier(records, self._journal.now(), self._named)
            if (ours := repeated or standing(order.tracker_id, quoted.listed, records)) is not None:
                return TakeOver(ours.intent_id)
        self._ceilings.check(quoted.expected, order.max_quants)
        amount = self._ceilings.to_reserve(quoted.expected, order.max_quants)
        if (allowance := self._ceilings.allowance(self._journal.now())) is not None:
            self._ceilings.check_left(amount, await self._charges.left_of(allowance), allowance)
        return Send(quoted, None if order.again else frozenset(record.intent_id for record in records))

    def question(self, plan: Plan, order: Order, *, can_ask: bool) -> str | None:
        """Return what the user is to be asked before this plan is carried out, None where nothing is.

        Raises:
            NeedsConsent: The client cannot ask, and the call does not carry `max_quants`.
        """
        if isinstance(plan, TakeOver):
            return None
        expected, config = plan.quote.expected, plan.quote.config
        threshold = self._ceilings.ask_above
        if not must_ask(expected, config, threshold=threshold, max_quants=order.max_quants, can_ask=can_ask):
            return None
        name = on_one_line(plan.quote.tracker.get("name") or order.tracker_id)
        known = config.reasoning_mode in get_args(ReasoningMode)
        mode = config.reasoning_mode if known else f'"{on_one_line(config.reasoning_mode)}"'
        return f'Run tracker "{name}" ({mode} reasoning)? It costs {expected}.'

    async def carry_out(
        self,
        plan: Plan,
        order: Order,
        *,
        is_agreed: bool,
        spend: Callable[[], Awaitable[None]],
        deadline: float,
        tell: Tell,
        can_ask: bool = True,
        learn: Learn = nobody_learns,
    ) -> Outcome:
        """Do what was planned, and return the run: its result if it ends before `deadline`, else its state.

        `is_agreed` says that a person agreed to the plan's cost; `spend` uses their answer up. Where the client cannot
        ask, `max_quants` says what they agreed to. A caller who is cancelled here leaves the trigger to the next one;
        the run goes on.

        Raises:
            RequestTimeout: The time was over before anything could be sent.
            NotFound: The run to be told was deleted.
            OutcomeUnknown: The answer was lost and no run of it showed up.
            AlreadyRunning: A run has begun meanwhile, or another call is at it and its run is not known yet.
            NeedsConsent, OverBudget: The tracker changed, and a run would cost more than was agreed or is allowed.
            QuantinalError: The service refused the trigger; nothing was charged.
        """
        agreed = plan.quote.expected if is_agreed and isinstance(plan, Send) else None
        call = Call(order, deadline, tell, agreed, can_ask, spend, learn)
        while True:
            if isinstance(plan, Send):
                outcome = await self._send(plan, call)
            else:
                outcome = await self._takeovers.take_over(plan.intent_id, call, self._named)
                if outcome is None and anyio.current_time() > max(deadline, call.started + _LATE_SECONDS):
                    raise RequestTimeout(
                        "No run of an earlier trigger_run has shown up, and the time of this call is over.",
                        "Nothing was sent now. Call again to start another run.",
                    )
            if outcome is not None:
                return outcome
            # Another call began a trigger meanwhile, or the one to be taken over came to nothing.
            learn(None, False)
            plan = await self.plan(order, deadline)

    async def _send(self, plan: Send, call: Call) -> Outcome | None:
        async with AsyncExitStack() as owning:
            async with self._turn(call):
                with before_sending(call.deadline):
                    flight = await self._begin(plan, call)
                if flight is None:
                    return None
                call.learn(flight.intent, False)
                await owning.enter_async_context(self.follower.working_on(flight.intent))
                # Until the service has it, no update of ours may change what was agreed to.
                async with telling(call.tell, lambda: "sending the trigger"):
                    with anyio.move_on_after(_UNDERWAY_SECONDS):
                        await flight.settled.wait()
            return await self.follower.follow(flight.intent, flight, call, took_over=False)

    @asynccontextmanager
    async def _turn(self, call: Call) -> AsyncGenerator[None]:
        """Keep other changes of the tracker out, once those before this one are done with it.

        Raises:
            AlreadyRunning: They take longer than this call may.
        """
        turn = self._journal.exclusive(self._account, call.order.tracker_id)
        async with AsyncExitStack() as held:
            async with telling(call.tell, lambda: "another call is changing or triggering this tracker; waiting"):
                deadline = max(call.deadline, anyio.current_time() + _SHORTEST_TURN_SECONDS)
                with anyio.CancelScope(deadline=deadline) as waiting:
                    await held.enter_async_context(turn)
            if waiting.cancelled_caught:
                raise AlreadyRunning(
                    "Another call is changing or triggering this tracker at this moment.",
                    "Nothing was sent. Call again in a minute.",
                )
            yield

    async def _begin(self, plan: Send, call: Call) -> Flight | None:
        """Read and estimate again, write the intent down, and send it; None if another was begun meanwhile."""
        order = call.order
        quoted = await renewed(self._client, self._runs, plan.quote)
        if plan.seen is not None:
            records = await self._finder.records(order.tracker_id)
            if {record.intent_id for record in records} - plan.seen or standing(
                order.tracker_id, quoted.listed, records
            ) is not None:
                return None
        call.check(quoted, self._ceilings)
        amount = self._ceilings.to_reserve(quoted.expected, order.max_quants)
        await self._charges.settle()
        await call.spend()
        intent = Intent(
            intent_id=new_id(),
            account=self._account,
            tracker_id=order.tracker_id,
            # zen is run asynchronously only
            sync=order.sync and not order.detached and quoted.config.reasoning_mode != "zen",
            begun_at=self._journal.now(),
            before=Snapshot.of(run["run_id"] for run in quoted.listed),
            reserved=amount,
            estimated=quoted.expected.estimated_quants,
            at_least=quoted.expected.at_least,
            typical_seconds=quoted.typical_seconds,
            sender=self._journal.worker,
            owner=self._journal.worker,
        )
        begun, allowance = self._sender.clock(), self._ceilings.allowance(intent.begun_at)
        left: float | None = None
        try:
            # What is on disk is sent: a caller who leaves may not come in between.
            with anyio.CancelScope(shield=True):
                left = await self._journal.begin(intent, plan.seen, allowance)
        except NotCovered as error:
            assert allowance is not None  # noqa: S101 - only an allowance can fall short
            self._ceilings.check_left(amount, error.left, allowance)
            raise
        if left is None:
            return None
        flight = Flight(intent, quoted.expected, begun, anyio.current_time())
        remaining = call.deadline - anyio.current_time()
        # A sync wait ends early enough for its run to be found before the caller's time is over.
        seconds = max(_SHORTEST_POST_SECONDS, remaining - min(3.0, remaining / 5))
        self._sender.send(
            flight,
            order.context,
            seconds if intent.sync else max(remaining, _ASYNC_POST_SECONDS),
            partial(self._check_again, flight, quoted, call),
        )
        return flight

    async def _check_again(self, flight: Flight, before: Quote, call: Call, *, task_status: TaskStatus[None]) -> None:
        """Look once more before a trigger that the service did not take is sent again: seconds may have passed.

        It has started once that is done; then it keeps updates of ours out, as `_send` does for the first time.

        Raises:
            Declined: Its caller has gone. Who takes it over may agree to less, and sends their own.
            RequestTimeout: Another process has taken it over.
        """
        async with self._journal.exclusive(self._account, call.order.tracker_id):
            now = await still_agreed(self._client, self._runs, before)
            call.check(now, self._ceilings)
            if not call.order.again:
                standing(call.order.tracker_id, now.listed, ())
            await self._sender.check_ours(flight)
            if flight.is_left and not call.order.detached:
                raise Declined("Whoever triggered this has gone.", "Nothing was sent.")
            task_status.started()
            with anyio.move_on_after(_UNDERWAY_SECONDS):
                await flight.settled.wait()
