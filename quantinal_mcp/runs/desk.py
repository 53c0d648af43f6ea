"""Where triggers are sent from, looked for, and remembered for callers who gave up."""

from __future__ import annotations

import logging
from collections import OrderedDict, defaultdict

import anyio
from anyio.abc import TaskGroup

from quantinal_mcp.client import QuantinalClient
from quantinal_mcp.client.pages import list_all_runs
from quantinal_mcp.errors import OutcomeUnknown, QuantinalError, RequestTimeout
from quantinal_mcp.models.common import Object
from quantinal_mcp.models.runs import Run
from quantinal_mcp.money.budget import Ledger
from quantinal_mcp.runs.matching import Ticket, assign

logger = logging.getLogger(__name__)

REMEMBERED_SECONDS = 3600.0
GRACE_SECONDS = 10.0
_PATIENCE_SECONDS = 30.0
_LOOK_AGAIN = (0.3, 0.7, 1.0, 2.0, 3.0, 4.0)
_MOST_CLAIMED = 10_000


class Desk:
    """One account's triggers. Nothing here is sent twice; a run found belongs to one trigger only."""

    def __init__(self, client: QuantinalClient, ledger: Ledger, tasks: TaskGroup) -> None:
        self._client = client
        self._ledger = ledger
        self._tasks = tasks
        self._open: defaultdict[str, list[Ticket]] = defaultdict(list)
        self._remembered: defaultdict[str, list[Ticket]] = defaultdict(list)
        self._claimed: OrderedDict[str, None] = OrderedDict()
        self._looking: defaultdict[str, anyio.Lock] = defaultdict(anyio.Lock)

    @property
    def is_idle(self) -> bool:
        """Whether forgetting this desk would lose nothing."""
        return not self._open and not self._remembered

    def send(self, ticket: Ticket, context: Object | None, seconds: float) -> None:
        """POST the trigger in the background, where its caller's going away cannot lose the answer.

        `seconds` bounds the wait for the answer.
        """
        self._open[ticket.tracker_id].append(ticket)
        self._tasks.start_soon(self._post, ticket, context, seconds)

    async def _post(self, ticket: Ticket, context: Object | None, seconds: float) -> None:
        try:
            with ticket.post:
                ticket.answer = await self._client.trigger_run(
                    ticket.tracker_id, sync=ticket.sync, context=context, seconds=seconds
                )
                self._claim(ticket, ticket.answer)
            if ticket.answer is None:
                ticket.lost = RequestTimeout("The wait for the answer was given up.")
        except OutcomeUnknown as error:
            ticket.lost = error.lost or error
            self._claim_named(ticket, error)
        except QuantinalError as error:
            ticket.refusal = error
            self._ledger.release(ticket.reservation)
            self.close(ticket)
        except Exception:
            # The outermost edge of a background task: raised further it would end the server.
            logger.exception("a trigger crashed; its run, if there is one, is looked for")
        finally:
            if ticket.answer is None and ticket.refusal is None and ticket.lost is None:
                ticket.lost = RequestTimeout("The wait for the answer was broken off.")
            ticket.settled.set()

    def _claim(self, ticket: Ticket, run: Run) -> None:
        ticket.run_id = run["run_id"]
        self._claimed[run["run_id"]] = None
        while len(self._claimed) > _MOST_CLAIMED:
            self._claimed.popitem(last=False)
        self._ledger.bind(ticket.reservation, run["run_id"])
        self._ledger.book(run)

    def _claim_named(self, ticket: Ticket, error: OutcomeUnknown) -> None:
        """An error, too, may name the run that it is about."""
        run_id = error.body.get("run_id")
        if isinstance(run_id, str) and run_id.startswith("run_"):
            self._claim(ticket, {"run_id": run_id, "status": "pending"})

    async def find(self, ticket: Ticket, deadline: float) -> bool:
        """Look for the run of a lost trigger, and return whether it was found.

        Looks until `deadline` plus 10 s at the latest, and gives up earlier once 30 s of looking showed nothing.
        Triggers looking on the same tracker share what they list; a list that fails is asked again.
        """
        started = anyio.current_time()
        give_up = max(deadline, started) + GRACE_SECONDS
        patience = min(give_up, started + _PATIENCE_SECONDS)
        look = 0
        with anyio.CancelScope(deadline=give_up):
            while ticket.is_lost:
                listed = False
                async with self._looking[ticket.tracker_id]:
                    if ticket.is_lost:
                        listed = await self._look(ticket.tracker_id)
                now = anyio.current_time()
                rivals = [other for other in self._all(ticket.tracker_id) if not other.settled.is_set()]
                if not ticket.is_lost or (listed and now >= patience and not rivals):
                    break
                if now >= deadline:
                    _hurry(rivals)
                await anyio.sleep(_LOOK_AGAIN[min(look, len(_LOOK_AGAIN) - 1)])
                look += 1
        return not ticket.is_lost

    async def _look(self, tracker_id: str) -> bool:
        try:
            listed = await list_all_runs(self._client, tracker_id)
        except QuantinalError as error:
            logger.info("listing the runs while looking for one failed: [%s]", error.code)
            return False
        tickets = self._all(tracker_id)
        lost = [ticket for ticket in tickets if ticket.is_lost]
        in_flight = [ticket for ticket in tickets if not ticket.settled.is_set()]
        for ticket, (run, match) in assign(lost, in_flight, listed, frozenset(self._claimed)).items():
            ticket.match = match
            ticket.answer = run
            self._claim(ticket, run)
        return True

    def _all(self, tracker_id: str) -> list[Ticket]:
        return [*self._open.get(tracker_id, ()), *self._remembered.get(tracker_id, ())]

    def close(self, ticket: Ticket) -> None:
        """The caller has learnt what became of the trigger."""
        _remove(self._open, ticket)
        _remove(self._remembered, ticket)

    def remember(self, ticket: Ticket) -> None:
        """The caller never learnt the run: keep the trigger for the next one on this tracker."""
        if ticket.refusal is not None:
            return
        _remove(self._open, ticket)
        self._remembered[ticket.tracker_id].append(ticket)

    def recall(self, tracker_id: str) -> Ticket | None:
        """Take back the oldest trigger of the last hour whose caller never learnt its run."""
        oldest = anyio.current_time() - REMEMBERED_SECONDS
        for ticket in list(self._remembered.get(tracker_id, ())):
            _remove(self._remembered, ticket)
            if ticket.refusal is None and ticket.sent_at >= oldest:
                self._open[tracker_id].append(ticket)
                return ticket
        return None


def _hurry(rivals: list[Ticket]) -> None:
    """Let triggers that are still in flight after a while fall back to looking, as the one they stand in the way of."""
    for rival in rivals:
        if rival.sent_at <= anyio.current_time() - GRACE_SECONDS / 2:
            rival.post.cancel()


def _remove(shelf: defaultdict[str, list[Ticket]], ticket: Ticket) -> None:
    tickets = shelf.get(ticket.tracker_id, [])
    if ticket in tickets:
        tickets.remove(ticket)
    if not tickets:
        shelf.pop(ticket.tracker_id, None)
