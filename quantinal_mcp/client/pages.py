"""Whole lists, whatever order the service pages them in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import anyio

from quantinal_mcp.client.api import QuantinalClient, Query
from quantinal_mcp.errors import QuantinalError
from quantinal_mcp.models.common import Page, page_count
from quantinal_mcp.models.runs import Run
from quantinal_mcp.models.skills import Skill
from quantinal_mcp.models.spaces import Space
from quantinal_mcp.models.trackers import Tracker
from quantinal_mcp.models.vault import Source

MOST_PAGES = 20
PAGE_SIZE = 100

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Listed(Generic[Item]):
    """What a list holds, each item once; `is_whole` says that no page of it was left out."""

    items: list[Item]
    is_whole: bool


def pages_to_read(total: int, at_each_end: int = MOST_PAGES // 2) -> list[int]:
    """Return the pages of a list of `total` that are read: all, or of more than twenty the first and the last ones.

    The documents promise no order, and what is newest is at one end of any sensible one.
    """
    if total <= MOST_PAGES:
        return list(range(1, total + 1))
    return [*range(1, at_each_end + 1), *range(total - at_each_end + 1, total + 1)]


async def read_pages(
    read: Callable[[int], Awaitable[Page[Item]]],
    name: Callable[[Item], str],
    at_once: int = MOST_PAGES,
    at_each_end: int = MOST_PAGES // 2,
) -> Listed[Item]:
    """Return what `pages_to_read` finds; the first page tells how many there are, the rest are read at once.

    An item that two pages show, since the list grew meanwhile, is one of the same `name`.
    Raises what `read` raises, as soon as one page fails.
    """
    first = await read(1)
    total = page_count(first)
    pages = {1: first["data"]}
    failures: list[QuantinalError] = []
    room = anyio.Semaphore(at_once)

    async with anyio.create_task_group() as tasks:

        async def keep(page: int) -> None:
            try:
                async with room:
                    pages[page] = (await read(page))["data"]
            except QuantinalError as error:
                failures.append(error)
                tasks.cancel_scope.cancel()

        for page in pages_to_read(total, at_each_end)[1:]:
            tasks.start_soon(keep, page)
    if failures:
        raise failures[0]
    found = {name(item): item for page in sorted(pages) for item in pages[page]}
    return Listed(list(found.values()), total <= MOST_PAGES)


async def list_runs(
    client: QuantinalClient,
    tracker_id: str,
    filters: Query,
    at_once: int = MOST_PAGES,
    at_each_end: int = MOST_PAGES // 2,
) -> Listed[Run]:
    """Return the tracker's runs that pass the filters of `QuantinalClient.list_runs`; raises what that raises."""

    async def read(page: int) -> Page[Run]:
        return await client.list_runs(tracker_id, {**filters, "page": page, "page_size": PAGE_SIZE})

    return await read_pages(read, lambda run: run["run_id"], at_once, at_each_end)


async def list_all_trackers(client: QuantinalClient, space_id: str) -> list[Tracker]:
    """Return the space's trackers; raises what `QuantinalClient.list_trackers` raises."""

    async def read(page: int) -> Page[Tracker]:
        return await client.list_trackers(space_id, page, PAGE_SIZE)

    return (await read_pages(read, lambda tracker: tracker["tracker_id"])).items


async def list_all_spaces(client: QuantinalClient) -> list[Space]:
    """Return the account's spaces; raises what `QuantinalClient.list_spaces` raises."""

    async def read(page: int) -> Page[Space]:
        return await client.list_spaces(page, PAGE_SIZE)

    return (await read_pages(read, lambda space: space["space_id"])).items


async def list_all_sources(client: QuantinalClient, tracker_id: str) -> list[Source]:
    """Return the sources of the tracker's vault; raises what `QuantinalClient.list_vault_sources` raises."""

    async def read(page: int) -> Page[Source]:
        return await client.list_vault_sources(tracker_id, page, PAGE_SIZE)

    return (await read_pages(read, lambda source: source["source_id"])).items


async def list_all_skills(client: QuantinalClient) -> list[Skill]:
    """Return the skills; raises what `QuantinalClient.list_skills` raises."""

    async def read(page: int) -> Page[Skill]:
        return await client.list_skills({"page": page, "page_size": PAGE_SIZE})

    return (await read_pages(read, lambda skill: skill["skill_id"])).items
