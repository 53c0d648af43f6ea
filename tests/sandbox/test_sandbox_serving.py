"""The server on loopback ends when its context does, and leaves nothing behind."""

import asyncio

import anyio
import anyio.lowlevel
import httpx
import pytest

from help.seeded import TESLA, TOKEN
from quantinal_mcp.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio

HEADERS = {"Authorization": f"Bearer {TOKEN}"}


async def test_serving_leaves_neither_tasks_nor_a_listening_port(sandbox: Sandbox) -> None:
    before = asyncio.all_tasks()
    async with sandbox.serve() as base_url, httpx.AsyncClient(headers=HEADERS) as client:
        assert base_url.startswith("http://127.0.0.1:")
        assert (await client.get(f"{base_url}/api/spaces")).status_code == 200
    assert asyncio.all_tasks() == before
    async with httpx.AsyncClient() as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(f"{base_url}/api/spaces")


async def test_serving_ends_at_once_while_requests_hang(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    sandbox.faults.add(Fault("GET", "/spaces", "hang_before", seconds=60))
    failures: list[Exception] = []

    async def ask(client: httpx.AsyncClient, method: str, url: str) -> None:
        try:
            await client.request(method, url, json={"sync": True} if method == "POST" else None, timeout=60)
        except httpx.HTTPError as failure:
            failures.append(failure)

    async with httpx.AsyncClient(headers=HEADERS) as client, anyio.create_task_group() as tasks:
        with anyio.fail_after(5):
            async with sandbox.serve() as base_url:
                tasks.start_soon(ask, client, "GET", f"{base_url}/api/spaces")
                tasks.start_soon(ask, client, "POST", f"{base_url}/api/trackers/{TESLA}/runs")
                while len(sandbox.requests) < 2:
                    await anyio.lowlevel.checkpoint()
                ending = anyio.current_time()
            assert anyio.current_time() - ending < 1
    assert len(failures) == 2
    assert caplog.records == []


async def test_two_sandboxes_are_served_side_by_side(sandbox: Sandbox) -> None:
    async with (
        sandbox.serve() as one,
        Sandbox(tokens=("qapi_else",)).serve() as two,
        httpx.AsyncClient(headers=HEADERS) as client,
    ):
        statuses = [(await client.get(f"{base_url}/api/spaces")).status_code for base_url in (one, two)]
    assert statuses == [200, 401]


async def test_a_given_port_is_used(sandbox: Sandbox) -> None:
    async with sandbox.serve() as first:
        port = int(first.rpartition(":")[2].removesuffix("/v1"))
    async with sandbox.serve(port=port) as second:
        assert second == first
