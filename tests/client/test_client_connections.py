"""Connections that are kept: what goes along them, and what happens when they are gone."""

from __future__ import annotations

import time
from typing import Any, Literal

import anyio
import pytest

from help.seeded import TESLA
from help.services import Keeping, reaching
from quantinal_mcp.client import Http, QuantinalClient
from quantinal_mcp.client.connections import KEPT_SECONDS, Connections

pytestmark = pytest.mark.anyio

Gone = Literal["reset", "mute"]


async def warmed_up(client: QuantinalClient, connections: int = 6) -> None:
    """Let the client keep so many connections."""
    async with anyio.create_task_group() as tasks:
        for _ in range(connections):
            tasks.start_soon(client.list_spaces)


async def trigger(client: QuantinalClient) -> Any:
    return await client.trigger_run(TESLA, sync=False, context=None, seconds=5)


async def test_reads_share_connections() -> None:
    async with Keeping().serving() as service, reaching(service.url) as client:
        for _ in range(5):
            await client.list_spaces()
        assert len(service.lines) == 1


async def test_one_stale_connection_costs_one_retry_though_all_that_are_kept_are_stale() -> None:
    async with Keeping().serving() as service, reaching(service.url) as client:
        await warmed_up(client)
        kept = len(service.lines)
        service.forget("reset")
        before, started = len(service.asked), time.monotonic()
        for _ in range(5):
            await client.list_spaces()
        assert len(service.asked) - before == 5 + 1
        assert time.monotonic() - started < 2
        assert len(service.lines) == kept + 1


@pytest.mark.parametrize("how", ["reset", "mute"])
async def test_a_post_rides_on_no_connection_that_was_used_before(how: Gone) -> None:
    async with Keeping().serving() as service, reaching(service.url) as client:
        await warmed_up(client)
        service.forget(how)
        assert (await trigger(client))["status"] == "pending"
        assert [line.asked[0] for line in service.lines if any("POST" in one for one in line.asked)] == [
            f"POST /v1/api/trackers/{TESLA}/runs"
        ]


async def test_no_request_follows_a_post_on_its_connection() -> None:
    async with Keeping().serving() as service, reaching(service.url) as client:
        for _ in range(3):
            await trigger(client)
            await client.list_spaces()
        assert [line.asked for line in service.lines if "POST" in line.asked[0]] == [
            [f"POST /v1/api/trackers/{TESLA}/runs"]
        ] * 3
        assert len(service.lines) == 3 + 1


async def test_a_caller_who_gave_up_on_a_mute_connection_leaves_the_others_like_it_behind() -> None:
    async with Keeping().serving() as service, reaching(service.url) as client:
        await warmed_up(client)
        service.forget("mute")
        with anyio.move_on_after(0.2) as gave_up:
            await client.list_spaces()
        assert gave_up.cancelled_caught
        with anyio.fail_after(2):
            await client.list_spaces()


async def test_after_a_pause_in_which_connections_may_go_a_new_one_is_made() -> None:
    now = 1_000_000.0
    async with Keeping().serving() as service:
        connections = Connections(service.url, clock=lambda: now)

        async def get() -> None:
            request = connections.request("GET", service.url, connections.journey())
            async with connections.answer(request, shared=True) as response:
                await response.aread()

        try:
            await get()
            for pause, lines in ((KEPT_SECONDS - 1, 1), (KEPT_SECONDS + 1, 2), (0, 2), (-3600, 3)):
                now += pause
                await get()
                assert len(service.lines) == lines
        finally:
            await connections.aclose()


async def test_requests_under_way_outlive_that_others_leave_their_connections() -> None:
    async with Keeping().serving() as service, reaching(service.url) as client:
        await warmed_up(client)
        service.lines[0].gone = "reset"
        async with anyio.create_task_group() as tasks:
            for _ in range(6):
                tasks.start_soon(client.list_spaces)
        assert len(service.asked) == 6 + 6 + 1


async def test_no_cookie_is_kept_or_sent() -> None:
    cookies = "Set-Cookie: session=alice; Path=/\r\nSet-Cookie: lb=1; Domain=127.0.0.1; Max-Age=9999\r\n"
    async with Keeping(cookies).serving() as service:
        http = Http(service.url)
        try:
            for token in ("qapi_alice", "qapi_bob"):
                client = QuantinalClient(http, token)
                await client.list_spaces()
                await trigger(client)
                await client.list_spaces()
        finally:
            await http.aclose()
        assert len(service.heads) == 6
        assert not any("cookie" in head.lower() for head in service.heads)
