"""Carrying a trigger that was sent to its result, through whatever ends the wait."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio

from quantinal_mcp.client.retry import is_passing
from quantinal_mcp.errors import NotFound, OutcomeUnknown, QuantinalError, UpstreamError
from quantinal_mcp.journal.protocol import Journal
from quantinal_mcp.journal.records import Intent
from quantinal_mcp.models.runs import Run, has_ended
from quantinal_mcp.money.cost import Estimate
from quantinal_mcp.runs import durations
from quantinal_mcp.runs.finding import Finder
from quantinal_mcp.runs.orders import GRACE_SECONDS, Call, Mode, Outcome
from quantinal_mcp.runs.progress import telling
from quantinal_mcp.runs.reading import Runs
from quantinal_mcp.runs.sending import Flight, Sender
from quantinal_mcp.runs.watch import Going, Watch, Watches, pending

_OTHERS_POST_SECONDS = 2.0
_LOOK_AGAIN_SECONDS = 4.0


class Follower:
    """Follows one account's triggers from their POST to their end."""

    def __init__(
        self, journal: Journal, account: str, finder: Finder, runs: Runs, watches: Watches, sender: Sender
    ) -> None:
        self._journal = journal
        self._account = account
        self._finder = finder
        self._runs = runs
        self._watches = watches
        self._sender = sender
        self._notes = sender.notes

    @asynccontextmanager
    async def working_on(self, intent: Intent) -> AsyncGenerator[None]:
        """Own a trigger: give it back if its caller goes, so that the next one finds it without an owner."""
        flight = self._sender.flights.get(intent.intent_id)
        try:
            yield
        except BaseException:
            if flight is not None:
                flight.is_left = True
            with anyio.CancelScope(shield=True):
                await self._notes.move(intent.intent_id, owner=None)
            raise

    async def follow(self, intent: Intent, flight: Flight | None, call: Call, *, took_over: bool) -> Outcome | None:
        """Return the run of a trigger: its result if it ends before the deadline, else its state.

        None if the trigger that was taken over came to nothing.

        Raises:
            OutcomeUnknown: The answer was lost and no run of it showed up.
            NotFound: Its run was deleted.
            QuantinalError: The service refused the trigger; nothing was charged.
        """
        async with telling(call.tell, lambda: self._message(intent, flight)):
            intent_or_none = await self._settled(intent, flight, call, took_over=took_over)
            if intent_or_none is None:
                return None
            intent = intent_or_none
            call.learn(intent, took_over)
            watch = self._watch(intent, flight)
            polls_before = watch.polls
            run = await self._seen(watch, call, took_over=took_over)
        if run is not None or intent.is_open:
            await self._told(intent)
        if run is None:
            raise _deleted(watch.run_id)
        is_lost = flight.lost is not None if flight is not None else intent.match == "likely"
        return Outcome(
            run,
            intent,
            flight.expected if flight is not None else _recorded(intent),
            _mode(intent, call, was_answered=not is_lost and not took_over),
            watch.polls - polls_before,
            round(anyio.current_time() - call.started, 1),
            intent.match if is_lost else None,
            took_over,
        )

    async def look(self, intent_id: str, *, took_over: bool) -> Outcome | Going | QuantinalError | None:
        """Return the run of a trigger that nobody holds a call for once it has ended, why it was refused, or how it
        goes; by one request to the service at most. None if this account has no such trigger.

        Raises:
            OutcomeUnknown: The answer was lost and no run of it showed up.
            NotFound: Its run was deleted.
            Misconfigured: The journal cannot be used now.
            QuantinalError: Its run cannot be read, for a reason that will not pass.
        """
        record = await self._journal.get(intent_id)
        if record is None or record.account != self._account:
            return None
        intent = self._finder.known(record)
        flight = self._sender.flights.get(intent_id)
        if intent.is_lost and intent.unknown_at is None:
            intent = await self._finder.glance(intent)
        if intent.state == "refused":
            return self._refusal(intent)
        if intent.run_id is None:
            if intent.unknown_at is not None or intent.state == "given_up":
                raise _unknown(intent, flight)
            return Going(self._message(intent, flight), _LOOK_AGAIN_SECONDS)
        watch = self._watch(intent, flight)
        run = await self._glance(watch, intent)
        if isinstance(run, Going):
            return run
        if intent.is_open:
            await self._journal.move(intent.intent_id, answered_at=self._journal.now())
        self._sender.flights.pop(intent.intent_id, None)
        return Outcome(
            run,
            intent,
            flight.expected if flight is not None else _recorded(intent),
            "sync_then_polling" if intent.sync else "async_then_polling",
            watch.polls,
            round(self._journal.now() - intent.begun_at, 1),
            "likely" if intent.match == "likely" else None,
            took_over,
        )

    async def _glance(self, watch: Watch, intent: Intent) -> Run | Going:
        try:
            return await self._watches.glance(watch)
        except NotFound as error:
            if not error.is_refusal:
                raise
            if watch.is_young:
                return Going(watch.message(), _LOOK_AGAIN_SECONDS)
            if intent.is_open:
                await self._told(intent)
            raise _deleted(watch.run_id) from None

    async def _settled(self, intent: Intent, flight: Flight | None, call: Call, *, took_over: bool) -> Intent | None:
        """Return the trigger's record once its run is known; None if one taken over came to nothing."""
        if flight is not None:
            await self._answered(flight, took_over=took_over)
            if flight.refusal is not None:
                if took_over:
                    return None
                raise flight.refusal
        intent, is_sure = await self._finder.current(intent), False
        if intent.is_lost:
            # Who takes a trigger over wants a run: if this one shows none soon, another can be sent in time.
            patient_until = anyio.current_time() if took_over else call.deadline
            last_moment = min(patient_until + GRACE_SECONDS, call.last_moment)
            intent, is_sure = await self._finder.find(intent, patient_until, last_moment)
        if intent.run_id is not None:
            return intent
        if took_over and intent.state == "refused":
            return None
        if took_over and intent.unknown_at is not None and is_sure:
            # Its caller knows; this one wants a run, and there is none.
            if await self._journal.move(intent.intent_id, state="given_up", owner=None):
                self._sender.forget(intent.intent_id)
                return None
            if (intent := await self._finder.current(intent)).run_id is not None:
                return intent  # found meanwhile, by one who looked for another's
        await self._notes.move(intent.intent_id, unknown_at=self._journal.now(), owner=None)
        raise _unknown(intent, flight)

    @staticmethod
    async def _answered(flight: Flight, *, took_over: bool) -> None:
        # Its own POST is bounded and settles in time; another caller's may go on for minutes.
        with anyio.move_on_after(_OTHERS_POST_SECONDS if took_over else math.inf):
            await flight.settled.wait()
        if not flight.settled.is_set():
            flight.post.cancel()
            await flight.settled.wait()

    def _refusal(self, intent: Intent) -> QuantinalError:
        """Return why the service did not take a trigger, which only the process that sent it knows."""
        return self._sender.refusals.get(intent.intent_id) or UpstreamError(
            "The service did not accept this trigger; nothing was charged.",
            f"trigger_run(tracker_id={intent.tracker_id}) says why, or starts a run.",
        )

    def _watch(self, intent: Intent, flight: Flight | None) -> Watch:
        """Return the watch of a trigger's run, which knows what the service answered to its POST."""
        watch = self._watches.of_trigger(intent, self._journal.now())
        if watch.run is None and flight is not None and flight.answer is not None:
            self._watches.seen(watch, flight.answer)
        return watch

    async def _told(self, intent: Intent) -> None:
        await self._notes.move(intent.intent_id, answered_at=self._journal.now(), owner=None)
        self._sender.forget(intent.intent_id)

    async def _seen(self, watch: Watch, call: Call, *, took_over: bool) -> Run | None:
        """Return the run as it can be read in time, or what is known of it; None if it was deleted."""
        with anyio.CancelScope(deadline=call.last_moment):
            try:
                if call.order.sync:
                    await self._watches.wait(watch, call.deadline)
                elif took_over or watch.run is None:
                    await self._watches.look(watch)
            except NotFound as error:
                if error.is_refusal and not watch.is_young:
                    return None
            except QuantinalError as error:
                if not is_passing(error):
                    raise
        run = watch.run or pending(watch)
        if has_ended(run) and run.get("quants_used") is None:
            run = await self._with_charge(watch.tracker_id, run, call)
        return run

    async def _with_charge(self, tracker_id: str, run: Run, call: Call) -> Run:
        """A sync answer does not say what it cost; reading the run does. Not knowing is no reason to fail."""
        with anyio.CancelScope(deadline=min(call.last_moment, max(call.deadline, anyio.current_time() + 2))):
            try:
                charged = await self._runs.get(tracker_id, run["run_id"])
            except QuantinalError:
                return run
            return {**run, **charged}
        return run

    def _message(self, intent: Intent, flight: Flight | None) -> str:
        intent = self._finder.known(intent)
        if intent.run_id is not None:
            return self._watch(intent, flight).message()
        age = durations.spell(max(0.0, self._journal.now() - intent.begun_at))
        if intent.is_lost or (flight is not None and flight.lost is not None):
            return f"the answer was lost after {age}; looking for the run"
        usual = intent.typical_seconds
        return f"running {age}" + (f", such runs usually take about {durations.spell(usual)}" if usual else "")


def _mode(intent: Intent, call: Call, *, was_answered: bool) -> Mode:
    if not intent.sync:
        return "async_then_polling" if call.order.sync else "async"
    return "sync" if was_answered else "sync_then_polling"


def _unknown(intent: Intent, flight: Flight | None) -> OutcomeUnknown:
    lost = flight.lost if flight is not None else None
    why = f" ({lost.message})" if lost is not None else ""
    return OutcomeUnknown(
        f"The trigger was sent once, its answer was lost{why}, and no run of it has shown up.",
        f"It may have run and been charged: look with list_runs(tracker_id={intent.tracker_id}) in a minute before "
        "anything else. trigger_run looks again first and starts another run only if there is still none.",
        lost=lost,
    )


def _deleted(run_id: str) -> NotFound:
    return NotFound(
        f"Run {run_id}, which trigger_run began, is not there any more: it was probably deleted.",
        "It may have been charged. To start another run, call trigger_run with again=true.",
        status=404,
    )


def _recorded(intent: Intent) -> Estimate:
    return Estimate(intent.estimated, intent.at_least, "as estimated when it was triggered")
