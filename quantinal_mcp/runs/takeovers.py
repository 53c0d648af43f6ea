"""Answering a call with the run of an earlier trigger: taken over by exactly one who works on it, or waited for."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack

import anyio

from quantinal_mcp.errors import AlreadyRunning
from quantinal_mcp.journal.protocol import Journal
from quantinal_mcp.journal.records import Intent
from quantinal_mcp.runs.finding import Finder
from quantinal_mcp.runs.following import Follower
from quantinal_mcp.runs.orders import Call, Outcome
from quantinal_mcp.runs.progress import telling
from quantinal_mcp.runs.repeats import earlier
from quantinal_mcp.runs.sending import Sender

_LOOK_AGAIN_SECONDS = 0.25


class TakeOvers:
    """Takes over one account's triggers whose callers have gone."""

    def __init__(self, journal: Journal, finder: Finder, follower: Follower, sender: Sender) -> None:
        self._journal = journal
        self._finder = finder
        self._follower = follower
        self._sender = sender

    async def take_over(self, intent_id: str, call: Call, named: Mapping[str, float]) -> Outcome | None:
        """Answer with the run of an earlier trigger, or of another that comes first; None if there is none after all.

        `named` says when a call last named a run. Raises what `Follower.follow` raises, and `AlreadyRunning`
        where another call is at it until the deadline, and its run is not known.
        """
        async with AsyncExitStack() as owning:
            intent: Intent | None = None
            async with telling(call.tell, lambda: "another call is triggering this tracker; waiting for its run"):
                while True:
                    intent = await self._journal.get(intent_id)
                    if intent is None or (intent := self._finder.known(intent)).state in {"refused", "given_up"}:
                        return None
                    if intent.unknown_at is None:
                        call.learn(intent, True)
                    if not intent.is_open:
                        break
                    is_being_sent_elsewhere = intent.state == "sent" and intent_id not in self._sender.flights
                    if not is_being_sent_elsewhere and await self._take(intent, owning):
                        break
                    records = await self._finder.records(intent.tracker_id)
                    other = earlier(records, self._journal.now(), named)
                    if other is not None and other.intent_id != intent_id and other.owner is None:
                        intent_id = other.intent_id
                        continue
                    if intent.run_id is not None:
                        break
                    if anyio.current_time() >= call.deadline:
                        raise AlreadyRunning(
                            "Another call is triggering this tracker at this moment, and its run is not known yet.",
                            "Nothing was sent. Call again in a minute, or look with "
                            f"list_runs(tracker_id={intent.tracker_id}).",
                        )
                    await anyio.sleep(_LOOK_AGAIN_SECONDS)
            return await self._follower.follow(intent, self._sender.flights.get(intent_id), call, took_over=True)

    async def _take(self, intent: Intent, owning: AsyncExitStack) -> bool:
        """Own a trigger that nobody works on until `owning` is left; False where somebody does."""
        # What is taken on disk is given back by whoever leaves: they may not come in between.
        with anyio.CancelScope(shield=True):
            if not await self._journal.take(intent.intent_id):
                return False
            await owning.enter_async_context(self._follower.working_on(intent))
        return True
