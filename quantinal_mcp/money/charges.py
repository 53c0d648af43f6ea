"""What runs were charged, from the answers that say so into the journal."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Iterable

from quantinal_mcp.errors import QuantinalError
from quantinal_mcp.journal.protocol import Journal
from quantinal_mcp.journal.records import Allowance
from quantinal_mcp.models.runs import Run, has_ended

logger = logging.getLogger(__name__)

_MOST_NOTED = 5000


class Charges:
    """One account's charges. Those of runs that this process triggered are booked when they are seen.

    Whatever else was seen is kept in mind until the journal is written to anyhow, so that reading does not touch it.
    """

    def __init__(self, journal: Journal, account: str) -> None:
        self._journal = journal
        self._account = account
        self._awaited: set[str] = set()
        self._noted: OrderedDict[str, tuple[float, bool]] = OrderedDict()

    def expect(self, run_id: str) -> None:
        """Book what that run is charged as soon as any answer says it."""
        self._awaited.add(run_id)

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
                self._awaited.discard(run_id)
                is_due = True
        while len(self._noted) > _MOST_NOTED:
            self._noted.popitem(last=False)
        if is_due:
            await self.settle()

    async def settle(self) -> None:
        """Book all that was noted; a journal that fails now keeps what was reserved. The caller may leave."""
        noted = dict(self._noted)
        if not noted:
            return
        try:
            await self._journal.settle(self._account, noted)
        except QuantinalError as error:
            logger.warning("charges could not be booked: %s", error)
            return
        for run_id, charge in noted.items():
            if self._noted.get(run_id) == charge:
                del self._noted[run_id]

    async def left_of(self, allowance: Allowance) -> float:
        """Return what an allowance has left, with all that is known of what runs were charged.

        Raises:
            Misconfigured: The journal cannot be used.
        """
        await self.settle()
        return allowance.limit - await self._journal.committed(self._account, allowance)
