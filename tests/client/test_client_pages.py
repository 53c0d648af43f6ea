"""Lists of more than one page."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from help.eras import virtual_time
from help.seeded import SPACE, TESLA
from help.services import Scripted, reaching
from quantinal_mcp.client import QuantinalClient
from quantinal_mcp.client.pages import (
    MOST_PAGES,
    list_all_skills,
    list_all_sources,
    list_all_trackers,
    list_runs,
    pages_to_read,
)
from quantinal_mcp.errors import Forbidden, UpstreamError

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("total", "pages"),
    [
        (0, []),
        (1, [1]),
        (3, [1, 2, 3]),
        (20, list(range(1, 21))),
        (21, [*range(1, 11), *range(12, 22)]),
        (1000, [*range(1, 11), *range(991, 1001)]),
    ],
)
def test_a_long_list_is_read_from_both_ends(total: int, pages: list[int]) -> None:
    assert pages_to_read(total) == pages
    assert len(pages) <= MOST_PAGES


def paged(count: int, *, item: Callable[[int], dict[str, Any]], fails_on: int = 0) -> Scripted:
    """A service that lists `count` items in the order of their numbers."""

    def answer(request: httpx.Request) -> httpx.Response:
        page, size = (int(request.url.params[name]) for name in ("page", "page_size"))
        if page == fails_on:
            return httpx.Response(403, json={"detail": "No."})
        numbers = range((page - 1) * size, min(page * size, count))
        pagination = {"page": page, "page_size": size, "total_items": count, "total_pages": -(-count // size)}
        return httpx.Response(200, json={"data": [item(number) for number in numbers], "pagination": pagination})

    return Scripted(answer)


def run(number: int) -> dict[str, Any]:
    return {"run_id": f"run_{number}", "status": "completed"}


async def list_all_runs(client: QuantinalClient, tracker_id: str) -> list[Any]:
    return (await list_runs(client, tracker_id, {})).items


LISTS: list[tuple[Callable[[QuantinalClient], Awaitable[list[Any]]], str]] = [
    (lambda client: list_all_runs(client, TESLA), "run_id"),
    (lambda client: list_all_trackers(client, SPACE), "tracker_id"),
    (lambda client: list_all_sources(client, TESLA), "source_id"),
    (list_all_skills, "skill_id"),
]


@virtual_time
@pytest.mark.parametrize(("read", "key"), LISTS)
@pytest.mark.parametrize(
    ("count", "numbers"),
    [(0, range(0)), (1, range(1)), (250, range(250)), (2100, [*range(1000), *range(1100, 2100)])],
)
async def test_every_list_is_read_to_its_ends(
    read: Callable[[QuantinalClient], Awaitable[list[Any]]], key: str, count: int, numbers: list[int]
) -> None:
    service = paged(count, item=lambda number: {key: f"i{number}", "status": "completed"})
    async with reaching(transport=service) as client:
        assert [item[key] for item in await read(client)] == [f"i{number}" for number in numbers]
    assert len(service.requests) <= MOST_PAGES


@virtual_time
@pytest.mark.parametrize(("count", "is_whole"), [(0, True), (2000, True), (2001, False)])
async def test_a_list_says_whether_it_is_whole_and_filters_every_page(count: int, is_whole: bool) -> None:
    service = paged(count, item=run)
    async with reaching(transport=service) as client:
        assert (await list_runs(client, TESLA, {"status": "failed", "start_date": None})).is_whole is is_whole
    assert {request.url.params["status"] for request in service.requests} == {"failed"}
    assert all("start_date" not in request.url.params for request in service.requests)


@virtual_time
async def test_an_item_that_moved_to_another_page_meanwhile_counts_once() -> None:
    service = paged(300, item=lambda number: run(number - number // 100))
    async with reaching(transport=service) as client:
        names = [one["run_id"] for one in await list_all_runs(client, TESLA)]
    assert names == [f"run_{number}" for number in range(298)]


@virtual_time
async def test_a_page_that_fails_ends_the_reading() -> None:
    service = paged(900, item=run, fails_on=4)
    async with reaching(transport=service) as client:
        with pytest.raises(Forbidden):
            await list_all_runs(client, TESLA)
    assert [request.url.params["page"] for request in service.requests].count("4") == 1


@virtual_time
async def test_a_first_page_that_fails_is_the_only_one_asked_for() -> None:
    service = Scripted(lambda _request: httpx.Response(500, content=json.dumps({"detail": "Broken."})))
    async with reaching(transport=service) as client:
        with pytest.raises(UpstreamError):
            await list_all_skills(client)
    assert {request.url.params["page"] for request in service.requests} == {"1"}
