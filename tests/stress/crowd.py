"""What somebody else does to a server meanwhile, in a process of its own: `crowd.py KIND PORT TOKEN`.

It says `begun` when the server has what it is to be bothered with, and goes on until it is stopped.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any

MIB = 1024 * 1024
LARGE = 15 * MIB


def head(token: str, *more: str, method: str = "POST") -> bytes:
    lines = [f"{method} /mcp HTTP/1.1", "Host: localhost", f"Authorization: Bearer {token}", *more]
    accepts = ("Content-Type: application/json", "Accept: application/json, text/event-stream")
    return "\r\n".join([*lines, *accepts, "", ""]).encode()


def request(token: str, body: bytes, *more: str) -> bytes:
    return head(token, f"Content-Length: {len(body)}", *more) + body


def message(method: str, params: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()


class Crowd:
    """Connections to one server, which stay open."""

    def __init__(self, port: int, token: str) -> None:
        self.port = port
        self.token = token
        self.kept: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        pair = await asyncio.open_connection("127.0.0.1", self.port)
        self.kept.append(pair)
        return pair

    async def send(self, content: bytes) -> None:
        """Send this on a connection of its own, for as long as the server takes it."""
        try:
            _, writer = await self.connect()
            writer.write(content)
            await asyncio.wait_for(writer.drain(), 10)
        except OSError:
            return

    async def heads(self) -> None:
        """600 requests, of which each lacks the end of its headers."""
        await asyncio.gather(*(self.send(head(self.token)[:-2]) for _ in range(600)))

    async def bodies(self) -> None:
        """40 bodies of 15 MB, of which each lacks the end."""
        half = head(self.token, f"Content-Length: {LARGE}") + b" " * (LARGE - 1)
        await asyncio.gather(*(self.send(half) for _ in range(40)))

    async def made_up_bodies(self) -> None:
        """The same with a token each."""
        half = (head(f"qapi_made-up-{n}", f"Content-Length: {LARGE}") + b" " * (LARGE - 1) for n in range(40))
        await asyncio.gather(*(self.send(content) for content in half))

    async def half_requests(self) -> None:
        """600 small requests with made-up tokens, of which each lacks its last byte."""
        halves = (head(f"qapi_made-up-{n}", "Content-Length: 100") + b" " * 99 for n in range(600))
        await asyncio.gather(*(self.send(content) for content in halves))

    async def useless(self) -> None:
        """20 bodies of 15 MB, full of empty lists, three at a time; and again."""
        body = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","arguments":{"x":['
        body += b"[]," * ((LARGE - len(body)) // 3 - 2) + b"0]}}}"
        await self.repeat(lambda _: self.post(request(self.token, body)), together=20)

    async def strings(self) -> None:
        """The same, each one long text."""
        body = message("tools/call", {"name": "x", "arguments": {"x": "\n" * (LARGE // 2 - 100)}})
        await self.repeat(lambda _: self.post(request(self.token, body)), together=20)

    async def sessions(self) -> None:
        """10,000 sessions with made-up tokens, and again."""
        client = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}
        body = message("initialize", client)
        await self.repeat(lambda n: self.post(request(f"qapi_made-up-{n}", body, "Connection: close")), together=20)

    async def connections(self) -> None:
        """More connections than a process may have files."""
        await asyncio.gather(*(self.send(b"") for _ in range(1100)))

    async def repeat(self, post: Callable[[int], Awaitable[None]], together: int) -> None:
        numbers = iter(range(1_000_000))

        async def one_after_another() -> None:
            for number in numbers:
                await post(number)

        tasks = [asyncio.create_task(one_after_another()) for _ in range(together)]
        self.tasks = tasks
        await asyncio.sleep(0.5)

    async def post(self, content: bytes) -> None:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            try:
                writer.write(content)
                await reader.readline()
            finally:
                writer.close()
        except OSError:
            await asyncio.sleep(0.05)


async def main(kind: str, port: str, token: str) -> None:
    crowd = Crowd(int(port), token)
    await getattr(crowd, kind)()
    print("begun", flush=True)
    await asyncio.sleep(3600)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
