"""Connections that ask nothing, or read nothing, and what a flood of them may write to the log."""

from __future__ import annotations

import asyncio
import logging
import resource
import socket
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import anyio
import pytest
from anyio.abc import SocketStream
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send
from uvicorn import Config
from uvicorn.server import ServerState

from help.over_http import Wire, connection_to, process, until
from quantinal_mcp.transports.connections import Connection, most_connections
from quantinal_mcp.transports.logs import Sparing

pytestmark = pytest.mark.anyio

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class Hasty(Connection):
    """Has little time, and room for four."""

    head_seconds = 0.2
    unread_seconds = 0.2

    @staticmethod
    def most() -> int:
        return 4


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with as much as is asked for; `/slow` never."""
    if scope["path"] == "/slow":
        await anyio.sleep_forever()
    await PlainTextResponse("x" * int(scope["query_string"] or b"2"))(scope, receive, send)


@asynccontextmanager
async def hasty(kind: type[Connection] = Hasty) -> AsyncGenerator[tuple[str, ServerState]]:
    config = Config(answer, lifespan="off", log_config=None, access_log=False)
    config.load()
    state = ServerState()
    server = await asyncio.get_running_loop().create_server(lambda: kind(config, state, {}), "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", state
    finally:
        server.close()
        for connection in list(state.connections):
            connection.transport.abort()
        for task in list(state.tasks):
            task.cancel()
        await asyncio.sleep(0)


async def until_closed(stream: SocketStream) -> bytes:
    with anyio.fail_after(5):
        return b"".join([part async for part in stream])


async def test_a_connection_on_which_no_request_begins_in_time_is_closed() -> None:
    async with hasty() as (url, state):
        for beginning in (b"", b"G", REQUEST[:-2]):
            async with await connection_to(url) as stream:
                if beginning:
                    await stream.send(beginning)
                assert (await until_closed(stream)).startswith(b"HTTP/1.1 408 ")
        await until(lambda: not state.connections)


async def test_a_head_that_drips_gains_no_time() -> None:
    async with hasty() as (url, _), await connection_to(url) as stream, anyio.create_task_group() as tasks:

        async def drip() -> None:
            await stream.send(REQUEST[:-2])
            while True:
                await stream.send(b"a: b\r\n")
                await anyio.sleep(0.02)

        tasks.start_soon(drip)
        with anyio.fail_after(5):
            assert (await stream.receive()).startswith(b"HTTP/1.1 408 ")
        tasks.cancel_scope.cancel()


async def test_a_second_request_has_as_much_time_and_a_body_that_nobody_reads_no_more() -> None:
    post = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"
    async with hasty() as (url, _):
        for first, then in ((REQUEST, REQUEST[:-2]), (post, b"a")):
            async with await connection_to(url) as stream:
                await stream.send(first)
                assert (await stream.receive()).startswith(b"HTTP/1.1 200 ")
                await stream.send(then)
                assert (await until_closed(stream)).endswith(b"Content-Length: 0\r\n\r\n")


async def test_a_request_that_takes_long_to_answer_keeps_its_connection() -> None:
    async with hasty() as (url, _), await connection_to(url) as stream:
        await stream.send(REQUEST.replace(b"/ ", b"/slow "))
        with anyio.move_on_after(3 * Hasty.head_seconds) as waited:
            await stream.receive()
        assert waited.cancelled_caught


async def test_requests_that_follow_each_other_without_waiting_are_all_answered() -> None:
    async with hasty() as (url, state), await connection_to(url) as stream:
        await stream.send(REQUEST * 3)
        answered = b""
        with anyio.fail_after(5):
            while answered.count(b"xx") < 3:
                answered += await stream.receive()
        assert len(state.connections) == 1


async def test_a_client_that_does_not_read_its_answer_loses_its_connection() -> None:
    async with hasty() as (url, state):
        with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))) as reader:
            reader.sendall(REQUEST.replace(b"/ ", b"/?50000000 "))
            await until(lambda: len(state.connections) == 1)
            await until(lambda: not state.connections)


async def test_where_there_are_many_connections_the_longest_idle_one_goes_for_a_new_one() -> None:
    class Patient(Hasty):
        head_seconds = 60.0

    async with hasty(Patient) as (url, state), AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(await connection_to(url)) for _ in range(4)]
        await streams[0].send(REQUEST)
        assert (await streams[0].receive()).startswith(b"HTTP/1.1 200 ")
        await streams[1].send(REQUEST.replace(b"/ ", b"/slow "))
        await until(lambda: len(state.tasks) == 1)
        async with await connection_to(url) as fifth:
            await fifth.send(REQUEST)
            assert (await fifth.receive()).startswith(b"HTTP/1.1 200 ")
            assert await until_closed(streams[2]) == b""
            assert len(state.connections) == 4
            for busy in (streams[0], streams[3], fifth):
                await busy.send(REQUEST.replace(b"/ ", b"/slow "))
            await until(lambda: len(state.tasks) == 4)
            async with await connection_to(url) as sixth:
                assert (await until_closed(sixth)).startswith(b"HTTP/1.1 503 ")


@pytest.mark.parametrize(("descriptors", "most"), [(64, 32), (256, 128), (1024, 736), (1_000_000, 1000)])
def test_connections_leave_descriptors_for_all_else(descriptors: int, most: int) -> None:
    assert most_connections(descriptors) == most


needs_proc = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="open files are counted through /proc")


def open_files(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


@needs_proc
async def test_more_connections_than_descriptors_leave_the_server_quiet_and_serving() -> None:
    limit = 200
    async with process("--sandbox") as (server, url, _), AsyncExitStack() as stack:
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (limit, limit))
        port = int(url.rpartition(":")[2])
        for _ in range(limit + 100):
            stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        assert not (await Wire(url, None).call("list_spaces"))["isError"]
        assert open_files(server.pid) < limit
        server.terminate()
        await server.wait()
        assert server.stderr is not None
        assert b"".join([part async for part in server.stderr]) == b""


@needs_proc
async def test_a_server_without_a_descriptor_left_says_so_a_few_times_and_recovers() -> None:
    async with process("--sandbox") as (server, url, _):
        soft, hard = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (open_files(server.pid), hard))
        assert server.stderr is not None
        said = ""
        async with await connection_to(url):
            with anyio.fail_after(10):
                while "out of system resource" not in said:
                    said += (await server.stderr.receive()).decode()
            resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (soft, hard))
            assert not (await Wire(url, None).call("list_spaces"))["isError"]
        server.terminate()
        await server.wait()
        said += b"".join([part async for part in server.stderr]).decode()
    assert said.count("out of system resource") <= 5


def test_the_same_is_logged_a_few_times_a_minute_and_then_counted(caplog: pytest.LogCaptureFixture) -> None:
    now = 1000.0
    log = logging.getLogger("test.sparing")
    caplog.set_level(logging.INFO, logger="test.sparing")

    def warn(times: int) -> list[str]:
        caplog.clear()
        for number in range(times):
            log.warning("host %s", number)
        return [record.getMessage() for record in caplog.records]

    caplog.handler.addFilter(sparing := Sparing(lambda: now))
    try:
        assert warn(100) == [f"host {number}" for number in range(5)]
        log.warning("another")
        log.info("little")
        assert [record.getMessage() for record in caplog.records[5:]] == ["another", "little"]
        now += 59
        assert warn(1) == []
        now += 1
        assert warn(2) == ["host 0 (and 96 more in the last minutes)", "host 1"]
        now += 60
        assert warn(1) == ["host 0"]
    finally:
        caplog.handler.removeFilter(sparing)
