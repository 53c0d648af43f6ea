"""Looking for the run of a trigger whose answer was lost."""

from __future__ import annotations

import logging
import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

import anyio

from quantinal_mcp.errors import QuantinalError
from quantinal_mcp.journal.protocol import Journal
from quantinal_mcp.journal.records import Intent
from quantinal_mcp.money.charges import Charges
from quantinal_mcp.runs.matching import assign
from quantinal_mcp.runs.orders import GRACE_SECONDS
from quantinal_mcp.runs.reading import Runs
from quantinal_mcp.runs.sending import Sender

logger = logging.getLogger(__name__)

_PATIENCE_SECONDS = 30.0
_LOOK_AGAIN = (0.3, 0.7, 1.0, 2.0, 3.0, 4.0)
_LOOK_SECONDS = 10.0
_FRESH_SECONDS = 3.0
_UNKNOWN_AFTER_SECONDS = 60.0
"""A run that is listed late is so by seconds, and no POST whose answer nobody waits for is in flight that long."""


class Finder:
    """Finds one account's lost runs. A run found belongs to one trigger only, whichever process looks."""

    def __init__(self, journal: Journal, account: str, runs: Runs, charges: Charges, sender: Sender) -> None:
        self._journal = journal
        self._account = account
        self._runs = runs
        self._charges = charges
        self._sender = sender
        self._looking: defaultdict[str, anyio.Lock] = defaultdict(anyio.Lock)
        self._listed: dict[str, float] = {}

    async def records(self, tracker_id: str) -> list[Intent]:
        """Return the tracker's intents of the last day, as this process knows them."""
        await self._sender.notes.catch_up()
        return [self.known(intent) for intent in await self._journal.of(self._account, tracker_id)]

    def known(self, intent: Intent) -> Intent:
        """Return a record as this process knows it."""
        flight = self._sender.flights.get(intent.intent_id)
        return intent if flight is None else flight.overlay(intent)

    async def current(self, intent: Intent) -> Intent:
        """Return a record as it is now; one whose run this process knows needs no journal for that."""
        try:
            return self.known(await self._journal.get(intent.intent_id) or intent)
        except QuantinalError:
            if (known := self.known(intent)).run_id is None:
                raise
            return known

    async def find(self, intent: Intent, deadline: float, last_moment: float) -> tuple[Intent, bool]:
        """Look for the run of a lost trigger; return its record, and whether it surely has none if it stays lost.

        Not where the runs could not be listed, or may be those of other triggers that are still in flight.
        Looks until `last_moment`, and gives up earlier once 30 s of looking showed nothing; after `deadline` it does
        not wait for other triggers' answers. Triggers looking on the same tracker share what they list; a list that
        fails is asked again.
        """
        patience = min(last_moment, anyio.current_time() + _PATIENCE_SECONDS)
        look, is_sure = 0, False
        with anyio.CancelScope(deadline=last_moment):
            while True:
                is_sure, records = await self._look_in_turn(intent)
                intent = next((known for known in records if known.intent_id == intent.intent_id), intent)
                now = anyio.current_time()
                if not intent.is_lost or (is_sure and now >= patience):
                    break
                if now >= deadline:
                    self._hurry(other for other in records if other.state == "sent")
                await anyio.sleep(_LOOK_AGAIN[min(look, len(_LOOK_AGAIN) - 1)])
                look += 1
        return intent, is_sure

    async def glance(self, intent: Intent) -> Intent:
        """Look once for the run of a lost trigger, unless that was just done, and return its record.

        Once it is a minute old, the runs could be listed and none is its, it gets `unknown_at`.
        """
        is_sure, records = False, [intent]
        with anyio.move_on_after(_LOOK_SECONDS):
            is_sure, records = await self._look_in_turn(intent, _FRESH_SECONDS)
        intent = next((known for known in records if known.intent_id == intent.intent_id), intent)
        now = self._journal.now()
        if is_sure and intent.is_lost and now - intent.begun_at > _UNKNOWN_AFTER_SECONDS:
            await self._journal.move(intent.intent_id, unknown_at=now)
            return replace(intent, unknown_at=now)
        return intent

    async def _look_in_turn(self, intent: Intent, fresh: float = 0.0) -> tuple[bool, list[Intent]]:
        """Look, unless that was done less than `fresh` seconds ago; say whether what stays lost surely has no run."""
        async with self._looking[intent.tracker_id]:
            records = await self.records(intent.tracker_id)
            if not any(known.intent_id == intent.intent_id and known.is_lost for known in records):
                return False, records
            if anyio.current_time() - self._listed.get(intent.tracker_id, -math.inf) < fresh:
                return True, records
            return await self._look(intent.tracker_id), await self.records(intent.tracker_id)

    async def _look(self, tracker_id: str) -> bool:
        try:
            listed = await self._runs.ends(tracker_id)
        except QuantinalError as error:
            logger.info("listing the runs while looking for one failed: [%s]", error.code)
            return False
        listed_at = anyio.current_time()
        # Read after the list: whoever began what it shows had said so before.
        records = await self.records(tracker_id)
        lost = {intent.intent_id: intent for intent in records if intent.is_lost}
        in_flight = [intent for intent in records if intent.state == "sent" and not self._is_untaken(intent)]
        claimed = {intent.run_id for intent in records if intent.run_id is not None}
        for intent_id, run in assign(list(lost.values()), in_flight, listed, claimed).items():
            if await self._journal.claim(intent_id, run["run_id"], "likely"):
                self._charges.expect(run["run_id"], lost[intent_id])
        await self._charges.note(listed)
        if in_flight:
            return False  # what is listed may be theirs
        self._listed[tracker_id] = listed_at
        return True

    def _is_untaken(self, intent: Intent) -> bool:
        """Whether the service surely has no run of a trigger that was sent."""
        flight = self._sender.flights.get(intent.intent_id)
        return flight is not None and flight.is_untaken

    def _hurry(self, rivals: Iterable[Intent]) -> None:
        """Let triggers still in flight after a while fall back to looking, as the one they stand in the way of."""
        for rival in rivals:
            flight = self._sender.flights.get(rival.intent_id)
            if flight is None or flight.is_untaken:
                continue
            if flight.sent_at <= anyio.current_time() - GRACE_SECONDS / 2:
                flight.post.cancel()
