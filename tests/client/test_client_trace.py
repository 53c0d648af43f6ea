"""The trace of a call goes along to the service."""

from __future__ import annotations

import anyio
import pytest

from help.seeded import TESLA
from help.services import always, reaching
from quantinal_mcp.client.trace import belonging_to

pytestmark = pytest.mark.anyio

ONE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
OTHER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"


async def test_requests_carry_the_trace_that_they_belong_to_and_no_other() -> None:
    service = always('{"data": [], "run_id": "run_1", "status": "pending"}')
    async with reaching(transport=service) as client:

        async def call(trace: str) -> None:
            with belonging_to(trace):
                await client.list_spaces()
                await client.trigger_run(TESLA, sync=False, context=None, seconds=5)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call, ONE)
            tasks.start_soon(call, OTHER)
        await client.list_spaces()
    carried = [(request.method, request.headers.get("traceparent")) for request in service.requests]
    assert sorted(carried[:4]) == sorted([("GET", ONE), ("GET", OTHER), ("POST", ONE), ("POST", OTHER)])
    assert carried[4:] == [("GET", None)]


@pytest.mark.parametrize(
    "none",
    [
        None,
        5,
        {},
        "",
        "x",
        ONE.upper(),
        f"{ONE}\r\nX-Evil: 1",
        f"{ONE}\n",
        f"{ONE}-more",
        f"ff{ONE[2:]}",
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-4bf92f3577b34da6a3ce929d0e0e4736-{'0' * 16}-01",
        "x" * 100_000,
    ],
)
async def test_what_is_no_trace_is_not_passed_on(none: object) -> None:
    service = always('{"data": []}')
    async with reaching(transport=service) as client:
        with belonging_to(ONE), belonging_to(none):
            await client.list_spaces()
    assert "traceparent" not in service.requests[0].headers
