"""The app as clients meet it: it records requests, misbehaves as told, and sends the date."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import format_datetime

import anyio
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from quantinal_mcp.sandbox.endpoints.api import DETACHED
from quantinal_mcp.sandbox.wire.faults import ConnectionFault, Fault, Faults, Refused
from quantinal_mcp.sandbox.world.world import World

CLOSE = "quantinal.sandbox.close"
"""In a scope's state: closes the connection that the request came by, at once."""


@dataclass
class RecordedRequest:
    """A request that reached the sandbox; `status` is None where no answer was begun."""

    method: str
    path: str
    query: str
    account: int | None
    status: int | None = None


@dataclass(frozen=True)
class _Abandoned:
    """A request whose client left while it hung: it has arrived, and is acted upon all the same."""

    due: datetime
    scope: Scope
    content: bytes


class Front:
    """An ASGI app around the API and the control endpoints."""

    def __init__(
        self, world: World, faults: Faults, api: ASGIApp, control: ASGIApp, requests: list[RecordedRequest]
    ) -> None:
        self._world = world
        self._faults = faults
        self._api = api
        self._control = control
        self._abandoned: list[_Abandoned] = []
        self._requests = requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; a connection fault is carried out here if the server told how."""
        if scope["type"] != "http":
            raise RuntimeError(f"The sandbox serves HTTP only, not {scope['type']}")
        if scope["path"].startswith("/_sandbox/"):
            await self._control(scope, receive, send)
            return
        try:
            await self._serve(scope, receive, send)
        except ConnectionFault:
            close: Callable[[], None] | None = scope.get("state", {}).get(CLOSE)
            if close is None:
                raise
            close()
            while (await receive())["type"] != "http.disconnect":
                pass

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        now = self._world.clock.now()
        await self._act_on_abandoned(now)
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        token = self._world.token_of(headers)
        record = RecordedRequest(
            method=scope["method"],
            path=scope["path"],
            query=scope["query_string"].decode("latin-1"),
            account=None if token is None else self._world.options.tokens.index(token),
        )
        self._requests.append(record)
        fault = self._faults.take(record.method, record.path)

        async def recording(message: Message) -> None:
            if message["type"] == "http.response.start":
                record.status = message["status"]
                date = format_datetime(self._world.clock.now(), usegmt=True)
                message["headers"] = [*message["headers"], (b"date", date.encode())]
            await send(message)

        content = await _read(receive)
        if fault is None:
            await self._api(scope, _replay(content), recording)
        else:
            await self._misbehave(fault, scope, content, recording)

    async def _misbehave(self, fault: Fault, scope: Scope, content: bytes, send: Send) -> None:
        kind = fault.kind
        if kind == "refuse":
            raise Refused
        if kind == "drop_before":
            raise ConnectionFault
        if kind == "hang_before":
            due = self._world.clock.now() + timedelta(seconds=fault.seconds)
            try:
                await anyio.sleep(fault.seconds)
            except anyio.get_cancelled_exc_class():
                self._abandoned.append(_Abandoned(due, scope, content))
                raise
        if kind in ("act_then_status", "drop_after"):
            detached = {DETACHED: fault.when == "created"}
            await self._api({**scope, **detached}, _replay(content), _nowhere)
            if kind == "drop_after":
                raise ConnectionFault
        if kind in ("status", "act_then_status"):
            guess = "text/html" if fault.body.lstrip().startswith("<") else "application/json"
            media = fault.content_type or guess
            answer = Response(fault.body, fault.code, dict(fault.headers), media)
            await answer(scope, _replay(b""), send)
            return
        sender = {
            "half": _half(send),
            "hang_after": _late(send, fault.seconds),
            "slow_body": _dribbling(send, fault.seconds),
        }.get(kind, send)
        await self._api(scope, _replay(content), sender)

    async def _act_on_abandoned(self, now: datetime) -> None:
        due = [request for request in self._abandoned if request.due <= now]
        self._abandoned = [request for request in self._abandoned if request.due > now]
        for request in due:
            await self._api({**request.scope, DETACHED: True}, _replay(request.content), _nowhere)


async def _read(receive: Receive) -> bytes:
    chunks: list[bytes] = []
    while (message := await receive())["type"] == "http.request":
        chunks.append(message.get("body", b""))
        if not message.get("more_body"):
            break
    return b"".join(chunks)


def _replay(content: bytes) -> Receive:
    messages: list[Message] = [{"type": "http.request", "body": content, "more_body": False}]

    async def receive() -> Message:
        return messages.pop() if messages else {"type": "http.disconnect"}

    return receive


async def _nowhere(message: Message) -> None:
    """Where answers go that nobody shall see."""


def _half(send: Send) -> Send:
    async def half(message: Message) -> None:
        if message["type"] == "http.response.body":
            body: bytes = message["body"]
            await send({**message, "body": body[: len(body) // 2], "more_body": True})
            raise ConnectionFault
        await send(message)

    return half


def _late(send: Send, seconds: float) -> Send:
    async def late(message: Message) -> None:
        if message["type"] == "http.response.start":
            await anyio.sleep(seconds)
        await send(message)

    return late


def _dribbling(send: Send, seconds: float) -> Send:
    async def dribble(message: Message) -> None:
        if message["type"] != "http.response.body":
            await send(message)
            return
        body: bytes = message["body"]
        size = -(-len(body) // 10) or 1
        for offset in range(0, len(body), size):
            await anyio.sleep(seconds / 10)
            await send({**message, "body": body[offset : offset + size], "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    return dribble
