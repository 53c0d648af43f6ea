"""Reading what a request brings: within a time, a size, and the room there is for all."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import anyio
import anyio.to_thread
from starlette.datastructures import Headers
from starlette.types import Receive, Scope

from quantinal_mcp.client.shares import Held, IsProven
from quantinal_mcp.models.outline import Outline, outline
from quantinal_mcp.transports.bounds import Bounds
from quantinal_mcp.transports.refusals import Refused, busy

_VALUE_BYTES: Final = 64
"""What a parsed value takes at the least: an empty object, or a number."""
_QUICKLY_READ: Final = 16 * 1024


@dataclass(slots=True)
class Body:
    """A request's whole body, until it is taken, and what it is about."""

    content: bytes
    outline: Outline

    def take(self) -> bytes:
        """Return the content, and let go of it."""
        content, self.content = self.content, b""
        return content


class Bodies:
    """The bodies that are held, from their first byte until their requests are done."""

    def __init__(self, bounds: Bounds, is_proven: IsProven) -> None:
        self._bounds = bounds
        self._held = Held(bounds.bytes, is_proven)
        self._threads = anyio.CapacityLimiter(1)

    @asynccontextmanager
    async def read(self, scope: Scope, receive: Receive, account: str) -> AsyncGenerator[Body | None]:
        """Hold the body of a request; None if its sender left before its end.

        Raises:
            Refused: It is too large or too slow, or there is no room for it; the rest is not read.
        """
        declared = Headers(scope=scope).get("content-length", "")
        if declared.isdecimal() and int(declared) > self._bounds.largest_body:
            raise self._too_large()
        room = _Room(self._held, account, self._bounds.small_body)
        try:
            yield await self._whole(receive, room)
        finally:
            room.leave()

    async def _whole(self, receive: Receive, room: _Room) -> Body | None:
        content = await self._arrived(receive, room)
        if content is None:
            return None
        about = await self._outline(content)
        if about.values > self._bounds.most_values:
            raise Refused(413, f"[invalid_request] A request holds at most {self._bounds.most_values} values.")
        room.grow(len(content) + about.values * _VALUE_BYTES)
        return Body(content, about)

    async def _arrived(self, receive: Receive, room: _Room) -> bytes | None:
        chunks: list[bytes] = []
        size = 0
        with anyio.move_on_after(self._bounds.body_seconds):
            while (message := await receive())["type"] != "http.disconnect":
                chunk: bytes = message.get("body", b"")
                size += len(chunk)
                if size > self._bounds.largest_body:
                    raise self._too_large()
                room.grow(size)
                chunks.append(chunk)
                if not message.get("more_body", False):
                    return b"".join(chunks)
            return None
        raise Refused(
            408, f"[invalid_request] A request arrives within {self._bounds.body_seconds:g} s; this one did not."
        )

    def _too_large(self) -> Refused:
        return Refused(413, f"[invalid_request] A request holds at most {self._bounds.largest_body} bytes.")

    async def _outline(self, content: bytes) -> Outline:
        if len(content) <= _QUICKLY_READ:
            return outline(content, self._bounds.most_values)
        return await anyio.to_thread.run_sync(
            outline, content, self._bounds.most_values, limiter=self._threads, abandon_on_cancel=True
        )


class _Room:
    """What one body takes of the room for large ones; a small one takes none."""

    def __init__(self, held: Held, account: str, small: int) -> None:
        self._held = held
        self._account = account
        self._small = small
        self._taken = 0

    def grow(self, size: int) -> None:
        """Take as much as a body of `size` needs."""
        more = size - self._taken
        if size <= self._small or more <= 0:
            return
        if refused := self._held.take(self._account, more):
            raise busy(refused, "bytes of requests in flight")
        self._taken += more

    def leave(self) -> None:
        """Give back all of it."""
        self._held.give_back(self._account, self._taken)
