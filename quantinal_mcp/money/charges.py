"""What runs were charged, from the answers that say so into the journal."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable

import anyio
from anyio.abc import TaskGroup

from quantinal_mcp.errors import QuantinalError
from quantinal_mcp.journal.protocol import Journal
from quantinal_mcp.journal.records import Allowance, Intent
from quantinal_mcp.models.runs import Run, has_ended

logger = logging.getLogger(__name__)

_MOST_NOTED = 5000
_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 30.0


class Charges:
    """One account's charges. Those of runs that this process triggered are booked when they are seen.

    Whatever else was seen is kept in mind until the journal is written to anyhow, so that reading does not touch it.
    `tasks` is where it goes on trying to book what the journal would not take. `runs_are_known` says whether the
    journal holds the runs of all triggers, and is asked first: a charge is booked to a run.
    """

    def __init__(
        self, journal: Journal, account: str, tasks: TaskGroup, runs_are_known: Callable[[], Awaitable[bool]]
    ) -> None:
        self._journal = journal
        self._runs_are_known = runs_are_known
        self._tasks = tasks
        self._is_trying = False
        self._account = account
        self._awaited: dict[str, Intent] = {}
        self._noted: OrderedDict[str, tuple[float, bool]] = OrderedDict()

    def expect(self, run_id: str, intent: Intent) -> None:
        """Book what that trigger's run is charged as soon as any answer says it, and write a line of it to the log."""
        self._awaited[run_id] = intent

    async def note(self, runs: Iterable[Run]) -> None:
        """Take note of what these runs were charged, as an answer just said; unknown charges stay reserved."""
        is_due = False
        for run in runs:
            charged = run.get("quants_used")
            if charged is None:
                continue
            run_id = run["run_id"]
            self._noted[run_id] = charged, has_ended(run)
            if run_id in self._awaited and has_ended(run):
                self._log(run_id, charged, self._awaited.pop(run_id))
                is_due = True
        while len(self._noted) > _MOST_NOTED:
            self._noted.popitem(last=False)
        if is_due:
            await self.settle()

    def _log(self, run_id: str, charged: float, intent: Intent) -> None:
        seconds = max(0.0, self._journal.now() - intent.begun_at)
        expected = "unknown" if intent.estimated is None else f"{intent.estimated:g}"
        told = "tracker=%s run=%s seconds=%.1f expected=%s charged=%g"
        logger.info(told, intent.tracker_id, run_id, seconds, expected, charged)

    async def settle(self) -> None:
        """Book all that was noted; until a failing journal takes it what was reserved stays. The caller may leave."""
        if not await self._booked() and not self._is_trying:
            self._is_trying = True
            self._tasks.start_soon(self._keep_trying)

    async def left_of(self, allowance: Allowance) -> float:
        """Return what an allowance has left, with all that is known of what runs were charged.

        Raises:
            Misconfigured: The journal cannot be used.
        """
        await self.settle()
        return allowance.limit - await self._journal.committed(self._account, allowance)

    async def _booked(self) -> bool:
        noted = dict(self._noted)
        if not noted:
            return True
        if not await self._runs_are_known():
            return False
        try:
            await self._journal.settle(self._account, noted)
        except QuantinalError as error:
            logger.warning("charges could not be booked yet: %s", error)
            return False
        for run_id, charge in noted.items():
            if self._noted.get(run_id) == charge:
                del self._noted[run_id]
        return True

    async def _keep_trying(self) -> None:
        pause = _PAUSE_SECONDS
        await anyio.sleep(pause)
        while not await self._booked():
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
            await anyio.sleep(pause)
        self._is_trying = False
