"""What ids there are and what they are called, for completing what somebody types."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import NamedTuple

import anyio

from quantinal_mcp.client import QuantinalClient
from quantinal_mcp.errors import QuantinalError
from quantinal_mcp.models.text import clean_text

MOST_NAMES = 100
_FRESH_SECONDS = 30.0
_LONGEST_SECONDS = 5.0
_MOST_SPACES = 10
_MOST_LISTS = 64
_PAGE_SIZE = 100


class Named(NamedTuple):
    """An id and what a person knows it by."""

    id: str
    name: str

    def matches(self, typed: str) -> bool:
        """Whether this may be what somebody is typing: an id's beginning, or part of the name."""
        return self.id.lower().startswith(typed) or typed in self.name.lower()


class Names:
    """The ids of one account, one page of each list, remembered for half a minute.

    Somebody who types sends a request per letter, so a list that could not be read is remembered, as empty, as well.
    Nothing here raises: no list is better than an error under a half-typed word.
    """

    def __init__(self, client: QuantinalClient) -> None:
        self._client = client
        self._known: dict[tuple[str, str], tuple[float, list[Named]]] = {}
        self._locks: defaultdict[tuple[str, str], anyio.Lock] = defaultdict(anyio.Lock)

    async def spaces(self) -> list[Named]:
        """Return the account's spaces."""
        return await self._remembered("spaces", "", self._list_spaces)

    async def trackers(self, space_id: str = "") -> list[Named]:
        """Return a space's trackers, or those of the first spaces."""
        spaces = [space_id] if space_id else [space.id for space in (await self.spaces())[:_MOST_SPACES]]
        found: list[Named] = []
        for space in spaces:
            found += await self._remembered("trackers", space, lambda space=space: self._list_trackers(space))
        return found

    async def runs(self, tracker_id: str) -> list[Named]:
        """Return a tracker's runs, named by when they ran and how they ended, the latest first."""
        return await self._remembered("runs", tracker_id, lambda: self._list_runs(tracker_id))

    async def sources(self, tracker_id: str) -> list[Named]:
        """Return the sources of a tracker's vault."""
        return await self._remembered("sources", tracker_id, lambda: self._list_sources(tracker_id))

    async def skills(self) -> list[Named]:
        """Return the skills."""
        return await self._remembered("skills", "", self._list_skills)

    async def _remembered(self, kind: str, of: str, read: Callable[[], Awaitable[list[Named]]]) -> list[Named]:
        key = kind, of
        async with self._locks[key]:
            known = self._known.get(key)
            if known is not None and anyio.current_time() - known[0] < _FRESH_SECONDS:
                return known[1]
            found: list[Named] = []
            with anyio.move_on_after(_LONGEST_SECONDS), suppress(QuantinalError):
                found = await read()
            if len(self._known) >= _MOST_LISTS:
                self._known.clear()
                self._locks.clear()
            self._known[key] = anyio.current_time(), found
            return found

    async def _list_spaces(self) -> list[Named]:
        listed = await self._client.list_spaces(1, _PAGE_SIZE)
        return _named((space["space_id"], space.get("name")) for space in listed["data"])

    async def _list_trackers(self, space_id: str) -> list[Named]:
        listed = await self._client.list_trackers(space_id, 1, _PAGE_SIZE)
        return _named((tracker["tracker_id"], tracker.get("name")) for tracker in listed["data"])

    async def _list_runs(self, tracker_id: str) -> list[Named]:
        listed = await self._client.list_runs(tracker_id, {"page": 1, "page_size": _PAGE_SIZE})
        when = {run["run_id"]: run.get("completed_at") or run.get("started_at") or "" for run in listed["data"]}
        named = _named((run["run_id"], f"{when[run['run_id']]} {run['status']}") for run in listed["data"])
        return sorted(named, key=lambda run: when[run.id], reverse=True)

    async def _list_sources(self, tracker_id: str) -> list[Named]:
        listed = await self._client.list_vault_sources(tracker_id, 1, _PAGE_SIZE)
        return _named((source["source_id"], source.get("name")) for source in listed["data"])

    async def _list_skills(self) -> list[Named]:
        listed = await self._client.list_skills({"page": 1, "page_size": _PAGE_SIZE})
        return _named((skill["skill_id"], skill.get("name")) for skill in listed["data"])


def _named(pairs: Iterable[tuple[str, str | None]]) -> list[Named]:
    return [Named(key, clean_text(name or "")) for key, name in pairs]
