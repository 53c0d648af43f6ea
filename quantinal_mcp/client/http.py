"""Requests to one host, whatever a network does to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from quantinal_mcp.client.accepted import Accepted
from quantinal_mcp.client.request import Request

if TYPE_CHECKING:
    import httpx

    from quantinal_mcp.client.wire import Wire


class Http:
    """The process's connections to one host; no request of one token meets state of another.

    They are made with the first request: a session that only lists tools pays for no HTTP client.
    """

    def __init__(self, base_url: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._base_url = base_url
        self._transport = transport
        self._wire: Wire | None = None
        self.accepted = Accepted()

    async def aclose(self) -> None:
        """Close every connection."""
        if self._wire is not None:
            await self._wire.aclose()

    async def send(self, request: Request, token: str) -> Any:
        """Return the decoded JSON of a success; None for a PATCH or DELETE that was answered 204.

        Raises:
            ApiError: The service answered, and not with success.
            InvalidResponse: A success whose body is no JSON, or larger than 8 MiB.
            NetworkError: No connection, or one that broke.
            RequestTimeout: No answer in time.
            Misconfigured: The environment stands in the way.
        """
        answer = await self._connected().send(request, token)
        self.accepted.note(token)
        return answer

    async def probe(self, seconds: float) -> str | None:
        """Ask once, without a token, whether anything answers there at all, and return its Date header.

        Raises `NetworkError`, `RequestTimeout` and `Misconfigured` as `send` does.
        """
        return await self._connected().probe(seconds)

    def _connected(self) -> Wire:
        if self._wire is None:
            from quantinal_mcp.client.wire import Wire  # noqa: PLC0415 - httpx is half of what a start would cost

            self._wire = Wire(self._base_url, self.accepted, self._transport)
        return self._wire
