"""Whole lists, whatever order the service pages them in."""

from __future__ import annotations

import anyio

from quantinal_mcp.client.api import QuantinalClient
from quantinal_mcp.errors import QuantinalError
from quantinal_mcp.models.common import page_count
from quantinal_mcp.models.runs import Run
from quantinal_mcp.models.trackers import Tracker

_PAGE_SIZE = 100
_MOST_PAGES = 20


async def list_all_runs(client: QuantinalClient, tracker_id: str) -> list[Run]:
    """Return the tracker's runs, each once.

    Of more than 2,000 runs the first and the last thousand are read: the documents promise no order, and the newest
    are at one end of any sensible one.
    Raises what `QuantinalClient.list_runs` raises.
    """
    first = await client.list_runs(tracker_id, {"page": 1, "page_size": _PAGE_SIZE})
    pages = {1: first["data"]}
    total = page_count(first)
    rest = list(range(2, total + 1))
    if total > _MOST_PAGES:
        rest = [*range(2, _MOST_PAGES // 2 + 1), *range(total - _MOST_PAGES // 2 + 1, total + 1)]
    failures: list[QuantinalError] = []

    async def read(page: int) -> None:
        try:
            listed = await client.list_runs(tracker_id, {"page": page, "page_size": _PAGE_SIZE})
        except QuantinalError as error:
            failures.append(error)
        else:
            pages[page] = listed["data"]

    async with anyio.create_task_group() as tasks:
        for page in rest:
            tasks.start_soon(read, page)
    if failures:
        raise failures[0]
    return list({run["run_id"]: run for page in sorted(pages) for run in pages[page]}.values())


async def list_all_trackers(client: QuantinalClient, space_id: str) -> list[Tracker]:
    """Return the space's trackers, up to 5,000.

    Raises what `QuantinalClient.list_trackers` raises.
    """
    found: list[Tracker] = []
    page, pages = 1, 1
    while page <= min(pages, 50):
        listed = await client.list_trackers(space_id, page, _PAGE_SIZE)
        found += listed["data"]
        pages = page_count(listed)
        page += 1
    return found
