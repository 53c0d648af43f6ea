"""Reading of many things at once without crowding the service: what fails is told beside what succeeded."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

import anyio

from quantinal_mcp.client.api import QuantinalClient
from quantinal_mcp.client.pages import list_all_spaces, list_all_trackers
from quantinal_mcp.errors import QuantinalError
from quantinal_mcp.models.trackers import Tracker

MOST_AT_ONCE = 6

Item = TypeVar("Item")
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Several(Generic[Item, Answer]):
    """What was read of several items, and what could not be, both in the order in which they were given."""

    answers: list[tuple[Item, Answer]]
    failures: list[tuple[Item, QuantinalError]]


async def of_each(items: Iterable[Item], read: Callable[[Item], Awaitable[Answer]]) -> Several[Item, Answer]:
    """Read each item, at most six at once.

    Raises the first failure where nothing could be read.
    """
    given = list(items)
    read_of: dict[int, Answer] = {}
    failed: dict[int, QuantinalError] = {}
    room = anyio.Semaphore(MOST_AT_ONCE)

    async def one(place: int, item: Item) -> None:
        async with room:
            try:
                read_of[place] = await read(item)
            except QuantinalError as error:
                failed[place] = error

    async with anyio.create_task_group() as tasks:
        for place, item in enumerate(given):
            tasks.start_soon(one, place, item)
    if failed and not read_of:
        raise failed[min(failed)]
    return Several(
        [(given[place], read_of[place]) for place in sorted(read_of)],
        [(given[place], failed[place]) for place in sorted(failed)],
    )


async def list_trackers_of(client: QuantinalClient, space_id: str | None) -> tuple[list[Tracker], str | None]:
    """Return a space's trackers, or those of all spaces, and a note on the spaces that could not be read.

    Raises what `QuantinalClient.list_spaces` and `list_trackers` raise where nothing could be read.
    """
    if space_id is not None:
        return await list_all_trackers(client, space_id), None
    spaces = [space["space_id"] for space in await list_all_spaces(client)]
    read = await of_each(spaces, lambda space: list_all_trackers(client, space))
    trackers = {tracker["tracker_id"]: tracker for _, found in read.answers for tracker in found}
    return list(trackers.values()), note_on([(space, error) for space, error in read.failures], "spaces")


def note_on(failures: list[tuple[str, QuantinalError]], what: str) -> str | None:
    """Say what is missing from an answer, and why."""
    if not failures:
        return None
    named = ", ".join(name for name, _ in failures[:5]) + (" and others" if len(failures) > 5 else "")
    codes = ", ".join(sorted({f"[{error.code}]" for _, error in failures}))
    return f"{len(failures)} {what} could not be read ({codes}): {named}."
