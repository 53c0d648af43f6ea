"""The connections of the HTTP server: how many there may be, and how long one may hold without asking anything."""

from __future__ import annotations

import asyncio
import sys
from asyncio import Server
from typing import ClassVar, Final, cast

from uvicorn.protocols.http.h11_impl import H11Protocol

ACCEPTED_TOGETHER: Final = 16
"""How many connections the event loop takes in one go, and a few times so many before it sees the first."""
QUEUED: Final = 1024
"""How many the system makes and holds until they are taken."""

_MOST: Final = 1000
_RESERVE: Final = 288
"""Descriptors for all else: those just taken, connections to the service, files."""
_TOO_SLOW: Final = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
_FULL: Final = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


def most_connections(descriptors: int) -> int:
    """Return how many connections there may be in a process that may have so many descriptors."""
    return min(_MOST, max(descriptors // 2, descriptors - _RESERVE))


def descriptors() -> int:
    """Return how many files and sockets this process may have open."""
    enough = _MOST + _RESERVE
    if sys.platform == "win32":
        return enough
    import resource  # noqa: PLC0415 - Windows has none

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return enough if soft == resource.RLIM_INFINITY else soft


def lengthen_queue(listener: Server) -> None:
    """Let the system hold more connections than the event loop takes in one go: asyncio has one number for both."""
    for listening in listener.sockets:
        with listening.dup() as same:
            same.listen(QUEUED)


class Connection(H11Protocol):
    """A connection that is closed if a request does not begin in time, or an answer is not read.

    Uvicorn waits for both for ever (https://github.com/Kludex/uvicorn/issues/157); this can go when it does not.
    """

    head_seconds: ClassVar[float] = 30.0
    """From a request's first byte, or a connection's begin, to the end of its headers."""
    unread_seconds: ClassVar[float] = 120.0
    """How long a client may leave what was sent to it unread."""

    idle_since: float | None = None
    """When it last had nothing to serve, by the event loop's clock; None while it has."""
    _head_timer: asyncio.TimerHandle | None = None
    _unread_timer: asyncio.TimerHandle | None = None

    @staticmethod
    def most() -> int:
        """Return how many of these there may be."""
        return most_connections(descriptors())

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a request; where there are too many connections, the one goes that has been idle for longest."""
        super().connection_made(transport)
        self.idle_since = self.loop.time()
        self._start_head_timer()
        if len(self.connections) > self.most():
            others = cast("set[Connection]", self.connections) - {self}
            idle = [(other.idle_since, id(other), other) for other in others if other.idle_since is not None]
            if idle:
                min(idle)[2].end()
            else:
                self.end(_FULL)

    def data_received(self, data: bytes) -> None:
        """Take bytes, with which a request begins, goes on, or is still not there."""
        super().data_received(data)
        self._note_state()
        if self.idle_since is not None and self._head_timer is None:
            self._start_head_timer()

    def on_response_complete(self) -> None:
        """Be idle again, unless the next request has come already."""
        super().on_response_complete()
        self._note_state()

    def pause_writing(self) -> None:
        """Wait for the client to read."""
        super().pause_writing()
        self._unread_timer = self.loop.call_later(self.unread_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on writing."""
        super().resume_writing()
        self._unread_timer = _cancelled(self._unread_timer)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._head_timer = _cancelled(self._head_timer)
        self._unread_timer = _cancelled(self._unread_timer)
        super().connection_lost(exc)

    def _note_state(self) -> None:
        is_serving = self.cycle is not None and not self.cycle.response_complete  # pyright: ignore[reportUnnecessaryComparison] - it is None before the first request
        if is_serving:
            self.idle_since = None
            self._head_timer = _cancelled(self._head_timer)
        elif self.idle_since is None:
            self.idle_since = self.loop.time()

    def _start_head_timer(self) -> None:
        self._head_timer = self.loop.call_later(self.head_seconds, self.end, _TOO_SLOW)

    def end(self, last_words: bytes = b"") -> None:
        """Close it, whatever state it is in."""
        self._head_timer = _cancelled(self._head_timer)
        self.idle_since = None
        self.connections.discard(self)
        if last_words:
            self.transport.write(last_words)
        self.transport.close()


def _cancelled(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
