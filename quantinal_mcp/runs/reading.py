"""Reading runs, and booking what they were charged: whoever reads one learns that, so it is noted here."""

from __future__ import annotations

from datetime import datetime

from quantinal_mcp.client import QuantinalClient
from quantinal_mcp.client.api import Query
from quantinal_mcp.client.pages import MOST_PAGES, Listed, list_runs
from quantinal_mcp.models.common import Page, period
from quantinal_mcp.models.runs import Run
from quantinal_mcp.money.charges import Charges

_PAGES_AT_EACH_END = 5


class Runs:
    """One account's runs, read from the service. Every method raises what the client's raises."""

    def __init__(self, client: QuantinalClient, charges: Charges) -> None:
        self._client = client
        self._charges = charges

    async def get(self, tracker_id: str, run_id: str) -> Run:
        """Return a run as it is now."""
        run = await self._client.get_run(tracker_id, run_id)
        await self._charges.note([run])
        return run

    async def list(self, tracker_id: str, filters: Query) -> Page[Run]:
        """Return one page of a tracker's runs; their order is not documented."""
        listed = await self._client.list_runs(tracker_id, filters)
        await self._charges.note(listed["data"])
        return listed

    async def all(self, tracker_id: str) -> list[Run]:
        """Return a tracker's runs, each once."""
        return (await self.between(tracker_id, None, None)).items

    async def between(
        self, tracker_id: str, start: datetime | None, end: datetime | None, at_once: int = MOST_PAGES
    ) -> Listed[Run]:
        """Return a tracker's runs in a stretch of time, None being open; `at_once` bounds the requests in flight."""
        listed = await list_runs(self._client, tracker_id, period(start, end), at_once)
        await self._charges.note(listed.items)
        return listed

    async def ends(self, tracker_id: str) -> list[Run]:
        """Return the runs at the ends of a tracker's list, where a new one is in any sensible order.

        Of a long list this is less than what `all` reads: what moved up a little since that was read is no new run.
        """
        listed = await list_runs(self._client, tracker_id, {}, at_each_end=_PAGES_AT_EACH_END)
        await self._charges.note(listed.items)
        return listed.items
