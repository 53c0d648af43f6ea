"""The sandbox in process, as a transport for httpx."""

from collections.abc import AsyncIterator
from typing import Any, cast

import anyio
import httpx
from starlette.types import ASGIApp, Message, Scope

from quantinal_mcp.sandbox.wire.faults import ConnectionFault, Refused


class SandboxTransport(httpx.AsyncBaseTransport):
    """Runs the app within the caller's task, and fails as a network would.

    The read timeout bounds each silence, as it does on a socket. A connection fault
    becomes the exception httpx raises for it; the other timeouts do not apply.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Serve one request."""
        content = await request.aread()
        limit = _read_timeout(request)
        exchange = _Exchange(content)
        failure: Exception | None = None
        with anyio.CancelScope() as silence:
            exchange.watch(silence, limit)
            try:
                await self._app(_scope(request), exchange.receive, exchange.send)
            except Refused:
                raise httpx.ConnectError("Connection refused by the sandbox", request=request) from None
            except ConnectionFault:
                failure = httpx.RemoteProtocolError("Server disconnected without sending a response.", request=request)
        if silence.cancelled_caught:
            failure = httpx.ReadTimeout("The sandbox did not answer in time", request=request)
        if exchange.status is None:
            raise failure or RuntimeError("The app sent no answer")
        if isinstance(failure, httpx.RemoteProtocolError):
            failure = httpx.RemoteProtocolError(
                "peer closed connection without sending complete message body", request=request
            )
        stream = _Body(exchange.body, failure)
        return httpx.Response(exchange.status, headers=exchange.headers, stream=stream, request=request)


class _Exchange:
    """The two ends that the app sees, and what it sent."""

    def __init__(self, content: bytes) -> None:
        self._requests: list[Message] = [{"type": "http.request", "body": content, "more_body": False}]
        self._limit: float | None = None
        self._scope: anyio.CancelScope | None = None
        self.status: int | None = None
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = b""

    def watch(self, scope: anyio.CancelScope, limit: float | None) -> None:
        self._scope, self._limit = scope, limit
        self._heard()

    async def receive(self) -> Message:
        if self._requests:
            return self._requests.pop()
        await anyio.sleep_forever()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = message["headers"]
        else:
            self.body += message.get("body", b"")
        self._heard()

    def _heard(self) -> None:
        if self._scope is not None and self._limit is not None:
            self._scope.deadline = anyio.current_time() + self._limit


class _Body(httpx.AsyncByteStream):
    def __init__(self, content: bytes, failure: Exception | None) -> None:
        self._content = content
        self._failure = failure

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._content:
            yield self._content
        if self._failure is not None:
            raise self._failure


def _scope(request: httpx.Request) -> Scope:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "scheme": request.url.scheme,
        "path": request.url.path,
        "raw_path": request.url.raw_path.split(b"?")[0],
        "query_string": request.url.query,
        "server": (request.url.host, request.url.port),
        "client": ("127.0.0.1", 0),
        "root_path": "",
        "state": {},
    }


def _read_timeout(request: httpx.Request) -> float | None:
    timeouts = cast("dict[str, Any]", request.extensions.get("timeout", {}))
    return timeouts.get("read")
