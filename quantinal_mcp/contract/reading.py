"""Reads one of everything an account has, and holds it against the documents. Nothing is written or triggered."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from quantinal_mcp.client import Http
from quantinal_mcp.client.paths import path
from quantinal_mcp.client.request import Request
from quantinal_mcp.contract import promises
from quantinal_mcp.contract.charges import charge_findings, charge_of
from quantinal_mcp.contract.findings import Finding, compare, merged
from quantinal_mcp.contract.lists import (
    Rows,
    as_object,
    order_finding,
    order_of,
    page_count,
    page_findings,
    repeat_finding,
    rows_of,
)
from quantinal_mcp.contract.promises import Promise
from quantinal_mcp.errors import ApiError, QuantinalError
from quantinal_mcp.models.text import readable

_SPACES = "GET /api/spaces"
_SPACE = "GET /api/spaces/{space_id}"
_TRACKERS = "GET /api/trackers"
_TRACKER = "GET /api/trackers/{tracker_id}"
_RUNS = "GET /api/trackers/{tracker_id}/runs"
_RUN = "GET /api/trackers/{tracker_id}/runs/{run_id}"
_VAULT = "GET /api/trackers/{tracker_id}/vault"
_RECENT = "GET /api/trackers/{tracker_id}/vault/recent"
_SOURCES = "GET /api/trackers/{tracker_id}/vault/sources"
_SOURCE = "GET /api/trackers/{tracker_id}/vault/sources/{source_id}"
_SKILLS = "GET /api/skills"

_ORDERED_BY = {_SPACES: "created_at", _TRACKERS: "created_at", _RUNS: "started_at", _SOURCES: "uploaded_at"}
_PAGE_SIZE = 100
_MOST_SPACES = 5
_MOST_MODES = 6
_LIMITS = re.compile(r"rate-?limit|quota|retry-after")


class Reading:
    """One look at an account. `answers` counts what was read."""

    def __init__(self, http: Http, token: str) -> None:
        self._http = http
        self._token = token
        self._found: list[Finding] = []
        self._orders: defaultdict[str, list[str]] = defaultdict(list)
        self._headers: set[str] = set()
        self._probed: set[str] = set()
        self.answers = 0

    def findings(self) -> list[Finding]:
        """Return all there is to say, each thing once."""
        orders = [order_finding(where, _ORDERED_BY[where], orders) for where, orders in self._orders.items()]
        heard = [Finding("note", "every answer", "header", "", f"{name} is sent") for name in sorted(self._headers)]
        return merged([*self._found, *orders, *heard])

    async def look(self) -> None:
        """Read everything.

        Raises:
            QuantinalError: Not even the list of spaces could be read.
        """
        spaces = await self._list(_SPACES, "spaces")
        self._found += compare(_SPACES, spaces, promises.LISTED_SPACE, "data[]")
        await self._one(_SPACE, promises.SPACE, "spaces", _first(spaces, "space_id"))
        skills = await self._list(_SKILLS, "skills")
        self._found += compare(_SKILLS, skills, promises.SKILL, "data[]")
        trackers: Rows = []
        for space_id in list(_all(spaces, "space_id"))[:_MOST_SPACES]:
            trackers += await self._list(_TRACKERS, "trackers", params={"space_id": space_id})
        self._found += compare(_TRACKERS, trackers, promises.TRACKER, "data[]")
        chosen = list(_all(_telling(trackers), "tracker_id"))
        await self._one(_TRACKER, promises.TRACKER, "trackers", chosen[0] if chosen else None)
        await self._runs(chosen, skills)
        await self._vault(chosen)

    async def _runs(self, tracker_ids: Sequence[str], skills: Rows) -> None:
        runs: Rows = []
        newest: tuple[str, str] | None = None
        for tracker_id in tracker_ids:
            listed = await self._list(_RUNS, "trackers", tracker_id, "runs")
            run_id = _first([run for run in listed if _is_completed(run)], "run_id")
            newest = newest or ((tracker_id, run_id) if run_id is not None else None)
            runs += listed
        self._found += compare(_RUNS, [run for run in runs if _is_completed(run)], promises.COMPLETED_RUN, "data[]")
        self._found += compare(_RUNS, [run for run in runs if not _is_completed(run)], promises.OTHER_RUN, "data[]")
        tracker_id, run_id = newest or ("", None)
        await self._one(_RUN, promises.COMPLETED_RUN, "trackers", tracker_id, "runs", run_id)
        prices = {
            str(skill.get("skill_id")): float(price)
            for skill in skills
            if isinstance(price := skill.get("base_cost_quants"), int | float) and not isinstance(price, bool)
        }
        charges = [charge for run in runs if (charge := charge_of(run, prices)) is not None]
        self._found += charge_findings(_RUNS, charges)

    async def _vault(self, tracker_ids: Sequence[str]) -> None:
        """Look at the first vault that holds something, or else at the last one."""
        chosen: str | None = None
        for chosen in tracker_ids:
            vault = await self._one(_VAULT, promises.VAULT, "trackers", chosen, "vault")
            if as_object(vault).get("total_sources") != 0:
                break
        if chosen is None:
            return
        recent = await self._one(_RECENT, promises.RECENT, "trackers", chosen, "vault", "recent")
        items = rows_of(recent, "results")
        self._found += compare(_RECENT, items, promises.ITEM, "results[]")
        if order_of(items, "created_at") not in {None, "newest first"}:
            detail = "not newest first by created_at, as is promised"
            self._found.append(Finding("differs", _RECENT, "order", "results", detail))
        place = ("trackers", chosen, "vault", "sources")
        sources = await self._list(_SOURCES, *place)
        self._found += compare(_SOURCES, sources, promises.SOURCE, "data[]")
        await self._one(_SOURCE, promises.SOURCE, *place, _first(sources, "source_id"))

    async def _one(self, endpoint: str, promise: Promise, *parts: str | None) -> Any:
        """Read one thing; a part of its path is None where there was none to look at."""
        known = [part for part in parts if part is not None]
        if len(known) < len(parts):
            self._found.append(Finding("unread", endpoint, "none", "", "the account has none to look at"))
            return None
        try:
            answer = await self._read(*known)
        except QuantinalError as error:
            self._found.append(_unread(endpoint, error))
            return None
        self._found += compare(endpoint, [answer], promise)
        return answer

    async def _list(self, endpoint: str, *parts: str, params: Mapping[str, str] | None = None) -> Rows:
        """Read a list's first page, its last one, and once per endpoint two pages of one item."""
        try:
            first = await self._page(endpoint, parts, params, 1, _PAGE_SIZE)
            rows, pages = rows_of(first), page_count(first)
            self._found += compare(endpoint, [first], promises.PAGE)
            if endpoint in _ORDERED_BY and (order := order_of(rows, _ORDERED_BY[endpoint])):
                self._orders[endpoint].append(order)
            if pages > 1:
                last = rows_of(await self._page(endpoint, parts, params, pages, _PAGE_SIZE))
                self._found += repeat_finding(endpoint, rows, last)
            if len(rows) > 1 and endpoint not in self._probed:
                self._probed.add(endpoint)
                await self._page(endpoint, parts, params, 1, 1)
                second = rows_of(await self._page(endpoint, parts, params, 2, 1))
                self._found += repeat_finding(endpoint, rows, second)
        except QuantinalError as error:
            if self.answers == 0:
                raise
            self._found.append(_unread(endpoint, error))
            return []
        return rows

    async def _page(
        self, endpoint: str, parts: Sequence[str], params: Mapping[str, str] | None, page: int, size: int
    ) -> Any:
        answer = await self._read(*parts, params={**(params or {}), "page": page, "page_size": size})
        self._found += page_findings(endpoint, answer, page=page, size=size)
        return answer

    async def _read(self, *parts: str, params: Mapping[str, str | int | float] | None = None) -> Any:
        answer = await self._http.send(Request("GET", path(*parts), params or {}, hear=self._hear), self._token)
        self.answers += 1
        return readable(answer, self._token)  # since what nobody documented is called by its name

    def _hear(self, headers: Mapping[str, str]) -> None:
        self._headers |= {name.lower() for name in headers if _LIMITS.search(name.lower())}


def _unread(endpoint: str, error: QuantinalError) -> Finding:
    """Say what stood in the way; not in the service's words, which may quote the account's content."""
    status = f", HTTP {error.status}" if isinstance(error, ApiError) else ""
    return Finding("unread", endpoint, "error", "", f"[{error.code}]{status}")


def _is_completed(run: Mapping[str, Any]) -> bool:
    return run.get("status") == "completed"


def _all(rows: Rows, field: str) -> Iterator[str]:
    return (found for row in rows if isinstance(found := row.get(field), str))


def _first(rows: Rows, field: str) -> str | None:
    return next(_all(rows, field), None)


def _telling(trackers: Rows) -> Rows:
    """Choose one tracker per reasoning mode, one with runs and with few links."""
    by_mode: dict[str, dict[str, Any]] = {}
    for tracker in sorted(trackers, key=_rank):
        mode = as_object(tracker.get("agent_config")).get("reasoning_mode")
        by_mode.setdefault(mode if isinstance(mode, str) else "", tracker)
    return list(by_mode.values())[:_MOST_MODES]


def _rank(tracker: Mapping[str, Any]) -> tuple[bool, int]:
    links = as_object(tracker.get("agent_config")).get("linked_trackers")
    return not isinstance(tracker.get("last_run_at"), str), len(links) if isinstance(links, list) else 0  # pyright: ignore[reportUnknownArgumentType]
