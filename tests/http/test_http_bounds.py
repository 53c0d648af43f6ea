"""What one caller can make the server hold, and that the others are served meanwhile."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import astuple
from pathlib import Path

import anyio
import pytest
from anyio.abc import SocketStream

from help.over_http import Served, Wire, connection_to, head, opened, plain, serving, until
from help.seeded import ANN, BEN, TESLA
from quantinal_mcp.client.shares import Share
from quantinal_mcp.client.turns import QUICK, SLOW_SECONDS
from quantinal_mcp.client.wire import SHARED_REQUESTS, SINGLE_REQUESTS
from quantinal_mcp.protocol.answers import ANSWER_SECONDS
from quantinal_mcp.sandbox import Fault, Sandbox
from quantinal_mcp.transports.bounds import Bounds
from quantinal_mcp.transports.connections import Connection, most_connections

pytestmark = pytest.mark.anyio

UNKNOWN = "qapi_nobody-has-seen-this"


async def accepted(served: Served, *tokens: str) -> None:
    """Let the service have accepted these tokens."""
    for token in tokens:
        assert not (await Wire(served.url, token).call("list_spaces"))["isError"]


@asynccontextmanager
async def half_sent(served: Served, token: str, size: int, of: int | None = None) -> AsyncGenerator[SocketStream]:
    """A request of which `size` bytes of a body came, and no more."""
    async with await connection_to(served.url) as stream:
        await stream.send(head(token, f"Content-Length: {of or size + 1}") + b" " * size)
        yield stream


async def status_on(stream: SocketStream) -> int:
    with anyio.fail_after(5):
        return int((await stream.receive()).split()[1])


async def assert_served(served: Served, token: str) -> None:
    with anyio.fail_after(5):
        await accepted(served, token)


async def test_a_body_that_does_not_arrive_in_time_is_answered_408_also_when_it_drips(sandbox: Sandbox) -> None:
    async with serving(sandbox, Bounds(body_seconds=0.3)) as served:
        async with half_sent(served, ANN, 10) as silent, half_sent(served, ANN, 10, of=1000) as dripping:
            with anyio.fail_after(5):
                async with anyio.create_task_group() as tasks:

                    async def drip() -> None:
                        while True:
                            await dripping.send(b" ")
                            await anyio.sleep(0.02)

                    tasks.start_soon(drip)
                    for stream in (silent, dripping):
                        answer = await stream.receive()
                        assert answer.startswith(b"HTTP/1.1 408 ")
                        assert b"connection: close" in answer.lower()
                    tasks.cancel_scope.cancel()
        await until(lambda: served.in_flight == 0)


async def test_bodies_beyond_an_accounts_share_are_refused_at_once_and_others_pass(sandbox: Sandbox) -> None:
    bounds = Bounds(bytes=Share(account=100_000, unproven=50_000, total=250_000), small_body=1000)
    async with serving(sandbox, bounds) as served:
        await accepted(served, ANN, BEN)
        async with half_sent(served, ANN, 90_000), half_sent(served, ANN, 20_000) as refused:
            assert await status_on(refused) == 429
            await assert_served(served, ANN)
            async with half_sent(served, BEN, 90_000), half_sent(served, UNKNOWN, 60_000) as unproven:
                assert await status_on(unproven) == 503
                await assert_served(served, BEN)
        await until(lambda: served.in_flight == 0)
        async with half_sent(served, ANN, 90_000, of=90_000) as whole:
            assert await status_on(whole) == 400


async def test_room_for_bodies_that_is_full_leaves_the_small_ones_alone(sandbox: Sandbox) -> None:
    bounds = Bounds(bytes=Share(account=100_000, unproven=100_000, total=150_000), small_body=1000)
    async with serving(sandbox, bounds) as served:
        await accepted(served, ANN, BEN)
        async with half_sent(served, ANN, 90_000), half_sent(served, BEN, 55_000):
            async with half_sent(served, BEN, 20_000) as refused:
                answer = await refused.receive()
            assert answer.startswith(b"HTTP/1.1 503 ")
            assert b"retry-after: " in answer.lower()
            assert b"[rate_limited]" in answer
            await assert_served(served, ANN)


@pytest.mark.parametrize("filler", ["[]", "0", '"a"', '{"a": 1}'])
async def test_a_body_of_too_many_values_is_refused_unparsed(sandbox: Sandbox, filler: str) -> None:
    call = '{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"x": [%s]}}'
    async with serving(sandbox, Bounds(most_values=5000)) as served, plain() as http:
        content = call % ",".join([filler] * 5001)
        refused = await http.post(f"{served.url}/mcp", headers={"X-API-Key": ANN}, content=content)
        assert refused.status_code == 413
        assert "5000 values" in refused.json()["error"]["message"]
        many = await Wire(served.url, ANN).call("trigger_run", tracker_id=TESLA, context={"x": [0] * 4000})
        assert not many["isError"]


async def test_values_weigh_more_than_their_bytes(sandbox: Sandbox) -> None:
    bounds = Bounds(bytes=Share(account=100_000, unproven=100_000, total=100_000), small_body=1000)
    async with serving(sandbox, bounds) as served, plain() as http:
        content = json.dumps({"x": [[]] * 2000})
        refused = await http.post(f"{served.url}/mcp", headers={"X-API-Key": ANN}, content=content)
    assert len(content) < 10_000
    assert refused.status_code == 429


async def test_an_account_with_many_requests_in_flight_is_refused_more_and_others_are_served(sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("GET", "/spaces", "hang_before", times=3, skip=2, seconds=30))
    async with serving(sandbox, Bounds(calls=Share(account=3, unproven=3, total=10))) as served:
        await accepted(served, ANN, BEN)
        async with AsyncExitStack() as stack:
            for _ in range(3):
                await stack.enter_async_context(Wire(served.url, ANN).begun("list_spaces"))
            await until(lambda: sandbox.count("GET", "/spaces") == 5)
            refused = await Wire(served.url, ANN).send("tools/call", {"name": "list_spaces", "arguments": {}})
            assert refused.status_code == 429
            assert refused.json()["error"]["message"].startswith("[rate_limited] This account has as many requests")
            await assert_served(served, BEN)
        await until(lambda: served.in_flight == 0)
        await assert_served(served, ANN)


async def test_of_half_sent_requests_with_unproven_tokens_the_earliest_goes_for_the_next(sandbox: Sandbox) -> None:
    async with serving(sandbox, Bounds(calls=Share(account=10, unproven=2, total=10))) as served:
        await accepted(served, ANN)
        async with half_sent(served, "qapi_one", 5) as one, half_sent(served, "qapi_two", 5):
            await until(lambda: served.in_flight == 2)
            await accepted(served, BEN)
            assert await status_on(one) == 503
            await assert_served(served, ANN)


async def test_requests_of_all_are_bounded_and_the_unproven_go_first(sandbox: Sandbox) -> None:
    async with serving(sandbox, Bounds(calls=Share(account=10, unproven=10, total=2))) as served:
        await accepted(served, ANN)
        async with half_sent(served, ANN, 5) as mine, half_sent(served, UNKNOWN, 5) as theirs:
            await until(lambda: served.in_flight == 2)
            await assert_served(served, ANN)
            assert await status_on(theirs) == 503
            async with half_sent(served, ANN, 5):
                await until(lambda: served.in_flight == 2)
                async with half_sent(served, BEN, 0) as refused:
                    assert await status_on(refused) == 503
            await mine.send(b" ")
            assert await status_on(mine) == 400


@asynccontextmanager
async def listening(wire: Wire) -> AsyncGenerator[int]:
    """A stream for the server's own messages, and how it was answered."""
    async with plain() as http, http.stream("GET", f"{wire.url}/mcp", headers=wire.headers("ping", {})) as response:
        yield response.status_code


async def test_streams_are_bounded_for_each_account(sandbox: Sandbox) -> None:
    async with serving(sandbox, Bounds(streams=Share(account=2, unproven=2, total=4))) as served:
        await accepted(served, ANN, BEN)
        mine = [await opened(served.url, ANN) for _ in range(3)]
        async with listening(mine[0]) as first, listening(mine[1]) as second, listening(mine[2]) as third:
            assert (first, second, third) == (200, 200, 429)
            async with listening(await opened(served.url, BEN)) as other:
                assert other == 200
            await assert_served(served, ANN)


async def test_a_stream_with_an_unproven_token_ends_when_another_needs_its_place(sandbox: Sandbox) -> None:
    async with serving(sandbox, Bounds(streams=Share(account=2, unproven=1, total=4))) as served, plain() as http:
        first, second = await opened(served.url, UNKNOWN), await opened(served.url, UNKNOWN + "-either")
        async with (
            http.stream("GET", f"{served.url}/mcp", headers=first.headers("ping", {})) as ended,
            listening(second) as status,
        ):
            assert (ended.status_code, status) == (200, 200)
            with anyio.fail_after(5):
                assert await ended.aread() == b""


def test_the_bounds_are_stated_where_people_look_for_them() -> None:
    stated = Path(__file__).parents[2].joinpath("SECURITY.md").read_text("utf-8")
    words = " ".join(stated.split())
    bounds, mib = Bounds(), 1024 * 1024
    in_bytes = Share(*(amount // mib for amount in astuple(bounds.bytes)))
    shares = [bounds.calls, bounds.streams, bounds.sessions, in_bytes, SHARED_REQUESTS, SINGLE_REQUESTS]
    rows = [line for line in stated.splitlines() if line.startswith("| ")][2:]
    assert [row.split(" | ", 1)[1] for row in rows] == [f"{s.account} | {s.unproven} | {s.total} |" for s in shares]
    assert f"larger than {bounds.small_body // 1024} KiB" in words
    assert f"at most {bounds.largest_body // mib} MiB of at most {bounds.most_values} values" in words
    assert f"arrives within {bounds.body_seconds:.0f} s" in words
    small = bounds.small_body * bounds.calls.total // mib
    assert f"take {small} MiB more, so that bodies hold at most {small + in_bytes.total} MiB" in words
    assert f"headers arrive within {Connection.head_seconds:.0f} s" in words
    assert f"an answer is read within {Connection.unread_seconds:.0f} s" in words
    assert f"leave {1000 - most_connections(1000)} descriptors" in words
    assert f"{QUICK} at a time" in words
    assert f"longer than {SLOW_SECONDS:.0f} s" in words
    assert f"after {bounds.idle_seconds / 60:.0f} minutes without a request" in words
    assert f"dismissed after {ANSWER_SECONDS / 60:.0f}" in words
