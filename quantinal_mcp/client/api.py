"""The documented endpoints, one method each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from typing import TypeVar, cast

import anyio
from pydantic import TypeAdapter, ValidationError

from quantinal_mcp.client.http import Http
from quantinal_mcp.client.paths import path
from quantinal_mcp.client.request import Request
from quantinal_mcp.client.retry import never_executed
from quantinal_mcp.errors import (
    Forbidden,
    InvalidResponse,
    OutcomeUnknown,
    QuantinalError,
)
from quantinal_mcp.models.common import Deleted, Object, Page, without_ours
from quantinal_mcp.models.runs import Run
from quantinal_mcp.models.skills import Skill
from quantinal_mcp.models.spaces import Space
from quantinal_mcp.models.text import readable
from quantinal_mcp.models.trackers import NewTracker, Tracker, TrackerChange
from quantinal_mcp.models.vault import RecentItems, Source, Upload, Vault

Query = Mapping[str, str | int | float | None]
Shape = TypeVar("Shape")

UPLOAD_SECONDS = 45.0
_SKILLS_FRESH_SECONDS = 300.0
"""Estimates rest on their prices, and 30 a minute may be asked for."""


class QuantinalClient:
    """The API as one account sees it.

    Every method raises `ApiError`, `InvalidResponse`, `NetworkError` or `RequestTimeout` as `Http.send` does,
    and `InvalidRequest` for an id that is none, before anything is sent. Those that POST raise `OutcomeUnknown`
    where the request may have been executed and its answer was lost; they never send it twice.
    What they return is what the service said, byte for byte, without fields that bear a name of `OURS`: it is to be
    cleaned where somebody reads it (`readable`). The text of errors is for reading and clean.
    Source: the endpoint pages of the API documents.
    """

    def __init__(self, http: Http, token: str) -> None:
        self._http = http
        self._token = token
        self._skills: dict[tuple[tuple[str, str | int | float], ...], tuple[float, Page[Skill] | Forbidden]] = {}
        self._skills_lock = anyio.Lock()

    async def list_spaces(self, page: int = 1, page_size: int = 20) -> Page[Space]:
        """GET /api/spaces."""
        return await self._get(Page[Space], path("spaces"), {"page": page, "page_size": page_size})

    async def get_space(self, space_id: str) -> Space:
        """GET /api/spaces/{space_id}."""
        return await self._get(Space, path("spaces", space_id))

    async def create_tracker(self, space_id: str, body: NewTracker) -> Tracker:
        """POST /api/spaces/{space_id}/trackers."""
        return await self._post(Tracker, Request("POST", path("spaces", space_id, "trackers"), json=body))

    async def list_trackers(self, space_id: str, page: int = 1, page_size: int = 20) -> Page[Tracker]:
        """GET /api/trackers."""
        query: Query = {"space_id": space_id, "page": page, "page_size": page_size}
        return await self._get(Page[Tracker], path("trackers"), query)

    async def get_tracker(self, tracker_id: str) -> Tracker:
        """GET /api/trackers/{tracker_id}."""
        return await self._get(Tracker, path("trackers", tracker_id))

    async def update_tracker(self, tracker_id: str, body: TrackerChange) -> Tracker:
        """PATCH /api/trackers/{tracker_id}; a null in `body` clears."""
        return await self._send(Tracker, Request("PATCH", path("trackers", tracker_id), json=body))

    async def delete_tracker(self, tracker_id: str) -> Deleted:
        """DELETE /api/trackers/{tracker_id}, with its schedules, runs and results."""
        return await self._send(Deleted, Request("DELETE", path("trackers", tracker_id)))

    async def trigger_run(
        self,
        tracker_id: str,
        *,
        sync: bool,
        context: Object | None,
        seconds: float,
        pause: Callable[[float], Awaitable[None]] = anyio.sleep,
        before_again: Callable[[], Awaitable[None]] | None = None,
    ) -> Run:
        """POST /api/trackers/{tracker_id}/runs, which costs quants; `seconds` bounds the wait for its answer.

        `pause` and `before_again` are awaited before it is sent once more because the service did not take it.
        """
        body: Object = {"sync": sync} if context is None else {"sync": sync, "context": context}
        where = path("trackers", tracker_id, "runs")
        request = Request("POST", where, json=body, seconds=seconds, pause=pause, before_again=before_again)
        return await self._post(Run, request)

    async def list_runs(self, tracker_id: str, filters: Query) -> Page[Run]:
        """GET /api/trackers/{tracker_id}/runs; their order is not documented."""
        return await self._get(Page[Run], path("trackers", tracker_id, "runs"), filters)

    async def get_run(self, tracker_id: str, run_id: str) -> Run:
        """GET /api/trackers/{tracker_id}/runs/{run_id}."""
        return await self._get(Run, path("trackers", tracker_id, "runs", run_id))

    async def update_run_comment(self, tracker_id: str, run_id: str, comment: str) -> Run:
        """PATCH /api/trackers/{tracker_id}/runs/{run_id}; an empty comment clears."""
        request = Request("PATCH", path("trackers", tracker_id, "runs", run_id), json={"comment": comment or None})
        return await self._send(Run, request)

    async def delete_run(self, tracker_id: str, run_id: str) -> Deleted:
        """DELETE /api/trackers/{tracker_id}/runs/{run_id}."""
        return await self._send(Deleted, Request("DELETE", path("trackers", tracker_id, "runs", run_id)))

    async def get_vault(self, tracker_id: str) -> Vault:
        """GET /api/trackers/{tracker_id}/vault."""
        return await self._get(Vault, path("trackers", tracker_id, "vault"))

    async def list_recent_vault_data(self, tracker_id: str, query: Query) -> RecentItems:
        """GET /api/trackers/{tracker_id}/vault/recent."""
        return await self._get(RecentItems, path("trackers", tracker_id, "vault", "recent"), query)

    async def upload_file(
        self, tracker_id: str, filename: str, content: bytes, media_type: str, source_name: str | None
    ) -> Upload:
        """POST /api/trackers/{tracker_id}/vault/sources as multipart; appends to a source of the same name."""
        request = Request(
            "POST",
            path("trackers", tracker_id, "vault", "sources"),
            file=(filename, content, media_type),
            form={"source_name": source_name} if source_name else None,
            seconds=UPLOAD_SECONDS,
        )
        return await self._post(Upload, request)

    async def upload_json(self, tracker_id: str, body: Object) -> Upload:
        """POST /api/trackers/{tracker_id}/vault/sources as JSON; appends to a source of the same name."""
        request = Request("POST", path("trackers", tracker_id, "vault", "sources"), json=body, seconds=UPLOAD_SECONDS)
        return await self._post(Upload, request)

    async def list_vault_sources(self, tracker_id: str, page: int = 1, page_size: int = 20) -> Page[Source]:
        """GET /api/trackers/{tracker_id}/vault/sources."""
        query: Query = {"page": page, "page_size": page_size}
        return await self._get(Page[Source], path("trackers", tracker_id, "vault", "sources"), query)

    async def get_vault_source(self, tracker_id: str, source_id: str) -> Source:
        """GET /api/trackers/{tracker_id}/vault/sources/{source_id}."""
        return await self._get(Source, path("trackers", tracker_id, "vault", "sources", source_id))

    async def update_vault_source(self, tracker_id: str, source_id: str, body: Object) -> Source:
        """PATCH /api/trackers/{tracker_id}/vault/sources/{source_id}."""
        where = path("trackers", tracker_id, "vault", "sources", source_id)
        return await self._send(Source, Request("PATCH", where, json=body))

    async def delete_vault_source(self, tracker_id: str, source_id: str) -> Deleted:
        """DELETE /api/trackers/{tracker_id}/vault/sources/{source_id}, with its data."""
        where = path("trackers", tracker_id, "vault", "sources", source_id)
        return await self._send(Deleted, Request("DELETE", where))

    async def list_skills(self, query: Query) -> Page[Skill]:
        """GET /api/skills, remembered for five minutes, the service's refusal included: the documents ask to cache.

        Raises:
            Forbidden: This token may not list skills, which the documents leave open.
        """
        params = _given(query)
        key = tuple(sorted(params.items()))
        async with self._skills_lock:
            known = self._skills.get(key)
            if known is None or anyio.current_time() - known[0] > _SKILLS_FRESH_SECONDS:
                try:
                    answer: Page[Skill] | Forbidden = await self._get(Page[Skill], path("skills"), params)
                except Forbidden as error:
                    if not error.is_refusal:
                        raise
                    answer = error
                if len(self._skills) >= 64:
                    self._skills.clear()
                known = self._skills[key] = (anyio.current_time(), answer)
        if isinstance(known[1], Forbidden):
            raise Forbidden(
                "This token cannot list skills.",
                "The console shows them with their prices; ask the user for the skill ids.",
                status=403,
            )
        return known[1]

    async def _get(self, shape: type[Shape], where: str, query: Query | None = None) -> Shape:
        return await self._send(shape, Request("GET", where, params=_given(query or {})))

    async def _post(self, shape: type[Shape], request: Request) -> Shape:
        try:
            return await self._send(shape, request)
        except QuantinalError as error:
            if never_executed(error):
                raise
            raise OutcomeUnknown(
                f"The request was sent, but its answer was lost ({error.message})", lost=error
            ) from error

    async def _send(self, shape: type[Shape], request: Request) -> Shape:
        value = await self._http.send(request, self._token)
        if value is None and request.method == "DELETE":
            value = {"success": True, "message": "Deleted."}
        elif value is None and request.method == "PATCH":
            return await self._get(shape, request.path)  # where what was changed is read
        try:
            return without_ours(_validator(shape).validate_python(value))
        except ValidationError as error:
            problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
        # Outside of the handler, since what pydantic raised quotes what the service said.
        where = ".".join(str(part) for part in problem["loc"]) or "the body"
        raise InvalidResponse(
            f"The service's answer is not what its documents promise ({where}: {problem['msg']}).",
            "Try again in a minute; if it persists, report it to Quantinal.",
            body=cast("Object", readable(value, self._token)) if isinstance(value, dict) else None,
        )


@cache
def _validator(shape: type[Shape]) -> TypeAdapter[Shape]:
    """Built when the first such answer comes: a session uses few of them."""
    return TypeAdapter(shape)


def _given(query: Query) -> dict[str, str | int | float]:
    return {name: value for name, value in query.items() if value is not None}
