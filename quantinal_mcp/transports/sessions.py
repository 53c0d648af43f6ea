"""The sessions of handshake-era clients: as many as there may be, and which of them goes for a new one."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import takewhile

import anyio
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from quantinal_mcp.client.shares import IsProven
from quantinal_mcp.transports.bounds import Bounds
from quantinal_mcp.transports.exchanges import ABOUT, ACCOUNT
from quantinal_mcp.transports.refusals import busy

_OPENING_REQUESTS = 2
"""A client that opens a session sends `initialize` and `notifications/initialized`; one that uses it sends more."""
_UNPROVEN_TOGETHER = 4
"""How many sessions are opened at a time with tokens that are not proven, so that a flood delays the others little."""


@dataclass(eq=False, slots=True)
class Session:
    """What is known of a session: whose it is, how much it was used, and since when it has been idle, if it is."""

    id: str
    account: str
    requests: int
    in_flight: int
    last_used: float


def to_end(sessions: Iterable[Session], is_proven: IsProven) -> Session | None:
    """Return the session that goes when room is needed: one of an account that is not proven, else an idle one.

    Among these the idle before the busy, those that were only opened before those that were used, and the earlier in
    `sessions` before the later.
    """
    chosen, lowest = None, (True, True)
    for one in sessions:
        rank = (is_proven(one.account), one.in_flight > 0, one.requests > _OPENING_REQUESTS)
        if not any(rank):
            return one
        if rank[:2] != (True, True) and (chosen is None or rank < lowest):
            chosen, lowest = one, rank
    return chosen


def user_of(account: str) -> AuthenticatedUser:
    """Return an account as the SDK knows it, which compares it with the one that opened a session."""
    return AuthenticatedUser(AccessToken(token=account, client_id=account, scopes=[]))


class Sessions:
    """Lets requests pass to the SDK, and keeps count of the sessions that they open, use and end.

    The SDK's manager refuses a new session when there are many, however idle the others are, and knows nothing of
    accounts. This can go when it ends the least deserving itself.
    """

    def __init__(self, app: ASGIApp, bounds: Bounds, is_proven: IsProven) -> None:
        self._app = app
        self._bounds = bounds
        self._is_proven = is_proven
        self._open: OrderedDict[str, Session] = OrderedDict()
        """The longest unused first."""
        self._by_account: Counter[str] = Counter()
        self._turns = anyio.Semaphore(_UNPROVEN_TOGETHER)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request; one that would open a session too many makes another one end.

        Raises:
            Refused: There is no room for a session, and none that can be ended.
        """
        headers = Headers(scope=scope)
        session = self._open.get(headers.get("mcp-session-id", ""))
        if session is not None and session.account == scope[ACCOUNT]:
            await self._use(session, scope, receive, send)
        elif scope[ABOUT].method == "initialize" and _is_handshake(headers):
            async with nullcontext() if self._is_proven(scope[ACCOUNT]) else self._turns:
                await self._make_room(scope)
                await self._app(scope, receive, self._noting(scope[ACCOUNT], send))
        else:
            await self._app(scope, receive, send)

    async def _use(self, session: Session, scope: Scope, receive: Receive, send: Send) -> None:
        async def note(message: Message) -> None:
            if message["type"] == "http.response.start":
                status: int = message["status"]
                if status == 404 or (status < 400 and scope["method"] == "DELETE"):
                    self._forget(session)
            await send(message)

        session.requests += 1
        session.in_flight += 1
        try:
            await self._app(scope, receive, note)
        finally:
            session.in_flight -= 1
            session.last_used = anyio.current_time()
            if session.id in self._open:
                self._open.move_to_end(session.id)

    def _noting(self, account: str, send: Send) -> Send:
        async def note(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] < 400:
                session_id = Headers(raw=message["headers"]).get("mcp-session-id")
                if session_id:
                    self._open[session_id] = Session(session_id, account, 1, 0, anyio.current_time())
                    self._by_account[account] += 1
            await send(message)

        return note

    def _forget(self, session: Session) -> None:
        if self._open.pop(session.id, None):
            self._by_account[session.account] -= 1
            if not self._by_account[session.account]:
                del self._by_account[session.account]

    async def _make_room(self, scope: Scope) -> None:
        self._forget_expired()
        account: str = scope[ACCOUNT]
        if self._by_account[account] >= self._bounds.sessions.account:
            own = (one for one in self._open.values() if one.account == account and not one.in_flight)
            await self._end(to_end(own, self._is_proven), 429, scope)
        elif len(self._open) >= self._bounds.sessions.total:
            await self._end(to_end(self._open.values(), self._is_proven), 503, scope)

    async def _end(self, session: Session | None, otherwise: int, scope: Scope) -> None:
        if session is None:
            raise busy(otherwise, "sessions")
        self._forget(session)
        kept = [(name, value) for name, value in scope["headers"] if name == b"host"]
        ending: Scope = {
            **scope,
            "method": "DELETE",
            "headers": [*kept, (b"mcp-session-id", session.id.encode())],
            "user": user_of(session.account),
        }
        with anyio.CancelScope(shield=True):
            await self._app(ending, _nothing, _nowhere)

    def _forget_expired(self) -> None:
        """Forget those that the SDK has ended."""
        before = anyio.current_time() - self._bounds.idle_seconds
        for session in list(takewhile(lambda one: one.in_flight or one.last_used < before, self._open.values())):
            if not session.in_flight:
                self._forget(session)


def _is_handshake(headers: Headers) -> bool:
    """Whether a request is one of those that the SDK opens a session for."""
    return headers.get("mcp-protocol-version", HANDSHAKE_PROTOCOL_VERSIONS[0]) in HANDSHAKE_PROTOCOL_VERSIONS


async def _nothing() -> Message:
    """What a request without a body brings."""
    return {"type": "http.request", "body": b"", "more_body": False}


async def _nowhere(message: Message) -> None:
    """Where an answer goes that nobody waits for."""
