"""The client on real sockets."""

from __future__ import annotations

import asyncio
import gzip
import socket
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from typing import Any

import anyio
import pytest

from help.seeded import RUN, SOURCE, SPACE, TESLA, TOKEN
from help.services import raw_service, reaching
from quantinal_mcp.client import Http, QuantinalClient
from quantinal_mcp.client.request import Request
from quantinal_mcp.errors import (
    InvalidResponse,
    NetworkError,
    NotFound,
    OutcomeUnknown,
    QuantinalError,
    RateLimited,
    Rejected,
    UpstreamError,
)
from quantinal_mcp.models.trackers import NewTracker
from quantinal_mcp.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio

EVERY_READ: tuple[Callable[[QuantinalClient], Awaitable[Any]], ...] = (
    lambda client: client.list_spaces(),
    lambda client: client.get_space(SPACE),
    lambda client: client.list_trackers(SPACE),
    lambda client: client.get_tracker(TESLA),
    lambda client: client.list_runs(TESLA, {"status": "completed", "page": None}),
    lambda client: client.get_run(TESLA, RUN),
    lambda client: client.get_vault(TESLA),
    lambda client: client.list_recent_vault_data(TESLA, {"limit": 3}),
    lambda client: client.list_vault_sources(TESLA),
    lambda client: client.get_vault_source(TESLA, SOURCE),
    lambda client: client.list_skills({}),
)


@pytest.mark.parametrize("slash", ["", "/", "//"])
async def test_every_endpoint_answers_with_and_without_a_trailing_slash(sandbox: Sandbox, slash: str) -> None:
    config = {"instruction": "Read.", "score_meaning": "Mood", "skills": ["web"]}
    body: NewTracker = {"name": "New", "description": "New", "run_mode": "manual", "agent_config": config}
    async with sandbox.serve() as url, reaching(url + slash) as client:
        for read in EVERY_READ:
            assert await read(client)
        made = await client.create_tracker(SPACE, body)
        assert (await client.update_tracker(made["tracker_id"], {"name": "Other"})).get("name") == "Other"
        run = await client.trigger_run(made["tracker_id"], sync=False, context=None, seconds=5)
        assert run["status"] == "pending"
        assert (await client.update_run_comment(TESLA, RUN, "good")).get("run_comment") == "good"
        file = await client.upload_file(TESLA, "n.txt", b"one", "text/plain", None)
        assert (file.get("name"), file.get("rows_processed")) == ("n.txt", 1)
        rows = await client.upload_json(TESLA, {"source_name": "rows", "data": {"a": 1}})
        renamed = await client.update_vault_source(TESLA, rows["source_id"], {"name": "r"})
        assert renamed.get("name") == "r"
        for delete in (
            client.delete_vault_source(TESLA, rows["source_id"]),
            client.delete_run(TESLA, RUN),
            client.delete_tracker(made["tracker_id"]),
        ):
            assert (await delete).get("success") is True


async def test_reads_survive_what_a_network_does_to_one_answer(sandbox: Sandbox) -> None:
    """All at once, so that their pauses pass together."""
    sandbox.faults.add(
        Fault("GET", "/spaces$", "drop_before"),
        Fault("GET", "/spaces/", "drop_after"),
        Fault("GET", "/trackers/[^/]+$", "half"),
        Fault("GET", "/runs/", "status", code=502, body="<html>"),
        Fault("GET", "/vault$", "status", code=429),
        Fault("GET", "/sources$", "status", code=200, body="<html>"),
        Fault("GET", "/recent$", "slow_body", seconds=0.1),
    )
    async with sandbox.serve() as url, reaching(url) as client, anyio.create_task_group() as tasks:
        for read in (
            client.list_spaces,
            lambda: client.get_space(SPACE),
            lambda: client.get_tracker(TESLA),
            lambda: client.get_run(TESLA, RUN),
            lambda: client.get_vault(TESLA),
            lambda: client.list_vault_sources(TESLA),
            lambda: client.list_recent_vault_data(TESLA, {}),
        ):
            tasks.start_soon(read)
    assert len(sandbox.requests) == 2 * 7 - 1


@pytest.mark.parametrize(
    ("kind", "lost"),
    [
        ("drop_before", NetworkError),
        ("drop_after", NetworkError),
        ("half", NetworkError),
        ("refuse", NetworkError),
        ("status", UpstreamError),
        ("act_then_status", UpstreamError),
    ],
)
async def test_a_post_is_sent_once(sandbox: Sandbox, kind: Any, lost: type[QuantinalError]) -> None:
    sandbox.faults.add(Fault("POST", "/api/", kind, None))
    async with sandbox.serve() as url, reaching(url) as client:
        with pytest.raises(OutcomeUnknown) as caught:
            await client.trigger_run(TESLA, sync=False, context=None, seconds=5)
    assert type(caught.value.lost) is lost
    assert sandbox.count("POST", "/") == 1


async def test_a_long_rate_limit_is_reported_at_once(sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("*", "/api/", "status", None, code=429, headers={"Retry-After": "3600"}))
    async with sandbox.serve() as url, reaching(url) as client:
        with pytest.raises(RateLimited) as caught:
            await client.list_spaces()
        with pytest.raises(RateLimited):
            await client.trigger_run(TESLA, sync=False, context=None, seconds=5)
    assert caught.value.retry_after == 3600
    assert len(sandbox.requests) == 2


async def test_nobody_listening_is_unreached_and_not_an_unknown_outcome() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        http = Http(f"http://127.0.0.1:{port}/v1")
        try:
            with pytest.raises(NetworkError, match="Nothing was sent") as caught:
                await http.send(Request("POST", "/api/x", json={}, seconds=0.1), TOKEN)
        finally:
            await http.aclose()
    assert caught.value.connected is False
    assert "127.0.0.1" in str(caught.value)


async def flooding(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n[")
    for _ in range(4096):
        writer.write(b"0," * 32768)
        await writer.drain()


async def exploding(writer: asyncio.StreamWriter) -> None:
    body = gzip.compress(b"0" * (48 * 1024 * 1024), 1)
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()


@pytest.mark.parametrize("respond", [flooding, exploding])
async def test_a_gigantic_answer_is_cut_off_and_not_asked_for_again(
    respond: Callable[[asyncio.StreamWriter], Any],
) -> None:
    asked = 0

    async def counting(writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        await respond(writer)

    async with raw_service(counting) as url:
        http = Http(url)
        try:
            for method in ("POST", "GET"):
                with pytest.raises(InvalidResponse, match="larger than 8 MiB"):
                    await http.send(Request(method, "/api/x", seconds=20), TOKEN)
        finally:
            await http.aclose()
    assert asked == 2


@pytest.mark.parametrize(
    ("status", "error", "most"), [(422, Rejected, 40), (404, NotFound, 40), (308, Rejected, 6), (503, None, 6)]
)
async def test_a_gigantic_refusal_is_read_once_and_a_gigantic_failure_hardly_at_all(
    status: int, error: type[QuantinalError] | None, most: int
) -> None:
    asked = written = 0

    async def respond(writer: asyncio.StreamWriter) -> None:
        nonlocal asked, written
        asked += 1
        if asked > 1:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
            return
        writer.write(f"HTTP/1.1 {status} X\r\nConnection: close\r\n\r\n".encode())
        for _ in range(64):
            writer.write(b" " * 2**20)
            await writer.drain()
            written += 1

    async with raw_service(respond) as url:
        http = Http(url)
        try:
            with pytest.raises(error) if error else nullcontext():
                assert await http.send(Request("GET", "/api/x", seconds=30), TOKEN) == {}
        finally:
            await http.aclose()
    assert asked == (1 if error else 2)
    assert written <= most


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"hello\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 200_000 + b"\r\n\r\n",
        b"HTTP/9.9 200 OK\r\n\r\n",
    ],
)
async def test_no_foreign_exception_escapes_from_nonsense_on_the_wire(answer: bytes) -> None:
    async def respond(writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()

    async with raw_service(respond) as url:
        http = Http(url)
        try:
            with pytest.raises((NetworkError, InvalidResponse)):
                await http.send(Request("POST", "/api/x", json={}, seconds=5), TOKEN)
        finally:
            await http.aclose()


async def test_answers_in_disorder_reach_their_callers(sandbox: Sandbox) -> None:
    async with sandbox.serve() as url, reaching(url) as client:
        found: list[str] = []

        async def one(tracker_id: str) -> None:
            found.append(((await client.get_tracker(tracker_id))["tracker_id"] == tracker_id and tracker_id) or "")

        wanted = list(sandbox.world.account().trackers) * 10
        async with anyio.create_task_group() as tasks:
            for tracker_id in wanted:
                tasks.start_soon(one, tracker_id)
        with pytest.raises(NotFound):
            await client.get_tracker("trk_none")
    assert sorted(found) == sorted(wanted)
