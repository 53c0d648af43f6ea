"""Sending a trigger, once, where its caller's going away cannot lose the answer."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from typing import Any

import anyio
from anyio.abc import TaskGroup

from quantinal_mcp.client import QuantinalClient
from quantinal_mcp.errors import InvalidResponse, OutcomeUnknown, QuantinalError, RequestTimeout
from quantinal_mcp.journal.protocol import Journal
from quantinal_mcp.journal.records import LEASE_SECONDS, Intent
from quantinal_mcp.models.common import Object
from quantinal_mcp.models.runs import Run
from quantinal_mcp.money.charges import Charges
from quantinal_mcp.money.cost import Estimate
from quantinal_mcp.runs.notes import Notes

logger = logging.getLogger(__name__)

_MOST_REFUSALS = 100


def counting_sleep() -> float:
    """Return seconds on a clock that goes on while the machine sleeps or this process is stopped."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.clock_gettime(boot) if boot is not None else time.time()


@dataclass(eq=False, slots=True)
class Flight:
    """What this process holds of a trigger while it works on it.

    While `settled` is not set the POST is in flight; afterwards `answer`, `refusal` or `lost` tells how it ended.
    `begun` and `sent_at` are on the clock that counts sleep and on the event loop's. `is_left` says that its caller has
    gone; `is_untaken` that the service did not take it, and it is not sent again yet.
    """

    intent: Intent
    expected: Estimate
    begun: float
    sent_at: float
    settled: anyio.Event = field(default_factory=anyio.Event)
    post: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    answer: Run | None = None
    refusal: QuantinalError | None = None
    lost: QuantinalError | None = None
    run_id: str | None = None
    is_left: bool = False
    is_untaken: bool = False

    def overlay(self, intent: Intent) -> Intent:
        """Return the journal's record as this process knows it, though writing it down may have failed."""
        if intent.state == "sent" and self.run_id is not None:
            return replace(intent, state="known", run_id=self.run_id)
        if intent.state == "sent" and self.lost is not None:
            return replace(intent, state="lost")
        if intent.state == "sent" and self.refusal is not None:
            return replace(intent, state="refused")
        return intent


class Sender:
    """The triggers that this process sends for one account, and what it still holds of them, by intent id."""

    def __init__(
        self,
        client: QuantinalClient,
        journal: Journal,
        notes: Notes,
        charges: Charges,
        tasks: TaskGroup,
        clock: Callable[[], float] = counting_sleep,
    ) -> None:
        self._client = client
        self._journal = journal
        self._charges = charges
        self._tasks = tasks
        self.notes = notes
        self.clock = clock
        self.flights: dict[str, Flight] = {}
        self.refusals: OrderedDict[str, QuantinalError] = OrderedDict()
        """Why the service refused the latest triggers, by intent id: the journal keeps only that it did."""

    @property
    def is_idle(self) -> bool:
        """Whether nothing is in flight, and all that came of what was is written down."""
        return self.notes.are_written and all(flight.settled.is_set() for flight in self.flights.values())

    def send(
        self,
        flight: Flight,
        context: Object | None,
        seconds: float,
        check_again: Callable[..., Coroutine[Any, Any, None]],
    ) -> None:
        """POST the trigger in the background; `seconds` bounds the wait for its answer.

        `check_again` is started before it is sent once more because the service did not take it.
        """
        self.flights[flight.intent.intent_id] = flight
        self._tasks.start_soon(self._post, flight, context, seconds, check_again)

    async def _post(
        self,
        flight: Flight,
        context: Object | None,
        seconds: float,
        check_again: Callable[..., Coroutine[Any, Any, None]],
    ) -> None:
        async def pause(seconds: float) -> None:
            flight.is_untaken = True
            await anyio.sleep(seconds)

        async def again() -> None:
            await self._tasks.start(check_again)
            flight.is_untaken, flight.sent_at = False, anyio.current_time()

        named: object = None
        try:
            with flight.post:
                self._check_awake(flight)
                flight.answer = await self._client.trigger_run(
                    flight.intent.tracker_id,
                    sync=flight.intent.sync,
                    context=context,
                    seconds=seconds,
                    pause=pause,
                    before_again=again,
                )
                named = flight.answer["run_id"]
        except OutcomeUnknown as error:
            flight.lost = (error.lost or error).as_kept()
            named = error.body.get("run_id")  # an error, too, may name the run that it is about
        except QuantinalError as error:
            flight.refusal = error
        except Exception:
            # The outermost edge of a background task: raised further it would end the server.
            logger.exception("a trigger crashed; its run, if there is one, is looked for")
        finally:
            if flight.answer is None and flight.refusal is None and flight.lost is None:
                if flight.is_untaken:
                    flight.refusal = RequestTimeout(
                        "The service did not take this trigger, and it was not sent again in time.",
                        "Nothing was started; call again.",
                    )
                else:
                    flight.lost = RequestTimeout("The wait for the answer was broken off.")
            if isinstance(named, str) and named.startswith("run_"):
                flight.run_id = named
            elif flight.answer is not None:
                flight.answer, flight.lost = None, InvalidResponse("The service's answer names no run.")
            with anyio.CancelScope(shield=True):
                await self._write_down(flight)
            flight.settled.set()

    async def _write_down(self, flight: Flight) -> None:
        intent_id = flight.intent.intent_id
        if flight.run_id is not None and not await self.notes.claim(intent_id, flight.run_id):
            flight.run_id = flight.answer = None
            flight.lost = InvalidResponse("The service named the run of another trigger.")
        if flight.run_id is not None:
            self._charges.expect(flight.run_id, flight.intent)
            if flight.answer is not None:
                await self._charges.note([flight.answer])
        elif flight.refusal is not None:
            self.refusals[intent_id] = flight.refusal.as_kept()
            if len(self.refusals) > _MOST_REFUSALS:
                self.refusals.popitem(last=False)
            await self.notes.move(intent_id, state="refused", owner=None)
            self.forget(intent_id)
        else:
            await self.notes.move(intent_id, state="lost")

    def forget(self, intent_id: str) -> None:
        """Let go of a trigger that is done with, unless more is known of it here than is written down."""
        if self.notes.is_written(intent_id):
            self.flights.pop(intent_id, None)

    async def check_ours(self, flight: Flight) -> None:
        """Send nothing again that another process has taken for lost meanwhile, and perhaps sent anew.

        Raises:
            RequestTimeout: One has.
        """
        kept = await self._journal.get(flight.intent.intent_id)
        if kept is None or kept.state != "sent":
            raise RequestTimeout(
                "Another process has taken this trigger over.", "Nothing was sent here; call again.", connected=False
            )

    def _check_awake(self, flight: Flight) -> None:
        """Send nothing that was agreed to before a long sleep: the tracker may be another one by now.

        Raises:
            RequestTimeout: The process or the machine was suspended since the trigger was begun.
        """
        if self.clock() - flight.begun > LEASE_SECONDS:
            raise RequestTimeout(
                "This server was suspended right before it would have sent the trigger.",
                "Nothing was sent; call again.",
                connected=False,
            )
