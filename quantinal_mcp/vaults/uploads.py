"""Uploading once: what became of the source, also where the answer was lost, and whose vault it is in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import anyio

from quantinal_mcp.client import QuantinalClient
from quantinal_mcp.client.pages import list_all_sources
from quantinal_mcp.client.retry import is_retryable
from quantinal_mcp.errors import OutcomeUnknown, QuantinalError
from quantinal_mcp.models.vault import Source, Upload
from quantinal_mcp.vaults.repeats import NEWEST, Uploaded, are_there

_ASIDE_SECONDS = 5.0
"""What is only good to know may take this long."""
_MOST_COMPARED_BYTES = 1_000_000
"""Reading more would hold up everybody else's calls."""


@dataclass(frozen=True, slots=True)
class Owner:
    """The tracker whose vault another one shares."""

    tracker_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Uploading:
    """What is uploaded where; `read` says its rows, or its text, as far as they can be told from it."""

    tracker_id: str
    source_name: str
    content: bytes
    read: Callable[[], list[Any] | str]


@dataclass(frozen=True, slots=True)
class Arrival:
    """The source after the upload. `rows_before` is None where it could not be read."""

    source: Upload
    rows_before: int | None
    was_lost: bool
    is_repeat: bool
    owner: Owner | None


async def owner_of(client: QuantinalClient, tracker_id: str) -> Owner | None:
    """Return whose vault a tracker shares; None where it has its own, or where that cannot be read for the moment.

    Raises what `QuantinalClient.get_tracker` raises for a lasting reason.
    """
    with anyio.move_on_after(_ASIDE_SECONDS):
        try:
            shared = (await client.get_tracker(tracker_id)).get("shared_vault_tracker_id")
            if shared:
                return Owner(shared, (await client.get_tracker(shared)).get("name") or shared)
        except QuantinalError as error:
            if not is_retryable(error, repeatable=True):
                raise
    return None


async def upload(
    client: QuantinalClient, uploaded: Uploaded, uploading: Uploading, send: Callable[[], Awaitable[Upload]]
) -> Arrival:
    """Send once; where the answer is lost, compare the source's rows before and after.

    Raises:
        OutcomeUnknown: The answer was lost, and the source has not grown or cannot be read.
    """
    owner = await owner_of(client, uploading.tracker_id)
    before, was_read = await _source_named(client, uploading)
    vault = owner.tracker_id if owner else uploading.tracker_id
    key = vault, uploading.source_name, uploading.content
    may_repeat = rows(before) > 0 or not was_read
    is_repeat = may_repeat and (uploaded.is_known(*key) or await _is_there(client, uploading, before))
    was_lost = False
    try:
        source = await send()
    except OutcomeUnknown as lost:
        source, was_lost = await _arrived(client, uploading, before, lost, was_read=was_read), True
    uploaded.remember(*key)
    return Arrival(source, rows(before) if was_read else None, was_lost, is_repeat, owner)


def rows(source: Source | None) -> int:
    """How many rows a source has, none where there is none."""
    return (source or {}).get("data_count") or 0


async def _is_there(client: QuantinalClient, uploading: Uploading, source: Source | None) -> bool:
    """Whether the vault's newest data shows the same; a vault that cannot be read now shows nothing."""
    if source is None or len(uploading.content) > _MOST_COMPARED_BYTES:
        return False
    with anyio.move_on_after(_ASIDE_SECONDS), suppress(QuantinalError):
        newest = await client.list_recent_vault_data(uploading.tracker_id, {"limit": NEWEST})
        return are_there(uploading.read(), newest["results"], source["source_id"])
    return False


async def _source_named(client: QuantinalClient, uploading: Uploading) -> tuple[Source | None, bool]:
    """Return the source of that name, if there is one, and whether the list could be read."""
    try:
        sources = await list_all_sources(client, uploading.tracker_id)
    except QuantinalError as error:
        if is_retryable(error, repeatable=True):
            return None, False
        raise
    return next((source for source in sources if source.get("name") == uploading.source_name), None), True


async def _arrived(
    client: QuantinalClient, uploading: Uploading, before: Source | None, lost: OutcomeUnknown, *, was_read: bool
) -> Upload:
    """Return the source if it has grown by the upload whose answer was lost.

    Raises:
        OutcomeUnknown: It has not, or it cannot be told.
    """
    known = rows(before)
    for pause in (0.5, 1.5, 3.0):
        await anyio.sleep(pause)
        after, is_read = await _source_named(client, uploading)
        if was_read and is_read and after is not None and (before is None or rows(after) > known):
            return {**after}
    name, tracker_id = uploading.source_name, uploading.tracker_id
    seen = f"source {name!r} had {known} rows before and has no more now" if before else "no such source is listed"
    raise OutcomeUnknown(
        f"The upload was sent once and its answer was lost; {seen if was_read else 'the sources could not be read'}.",
        f"Look with list_vault_sources(tracker_id={tracker_id}) in a minute before uploading again, which could append "
        "the rows twice.",
        lost=lost.lost,
    )
