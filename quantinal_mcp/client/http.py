"""Requests to one host, whatever a network does to them."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from quantinal_mcp.client.retry import TOTAL_SECONDS

if TYPE_CHECKING:
    import httpx

    from quantinal_mcp.client.wire import Wire

LARGEST_BODY = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    """What to send; `seconds` bounds all attempts together, and `hear` is told the headers of each answer."""

    method: Literal["GET", "POST", "PATCH", "DELETE"]
    path: str
    params: Mapping[str, str | int | float] = field(default_factory=dict[str, str | int | float])
    json: Mapping[str, Any] | None = None
    form: Mapping[str, str] | None = None
    file: tuple[str, bytes, str] | None = None
    long: bool = False
    seconds: float = TOTAL_SECONDS
    hear: Callable[[Mapping[str, str]], None] | None = None

    @property
    def repeatable(self) -> bool:
        """Whether executing it twice leaves the same state as once: all but POST."""
        return self.method != "POST"


_MOST_ACCEPTED: Final = 10_000


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
        """Return the decoded JSON of a success.

        Raises:
            ApiError: The service answered, and not with success.
            InvalidResponse: A success whose body is no JSON, or larger than 32 MiB.
            NetworkError: No connection, or one that broke.
            RequestTimeout: No answer in time.
        """
        if self._wire is None:
            from quantinal_mcp.client.wire import Wire  # noqa: PLC0415 - httpx is half of what a start would cost

            self._wire = Wire(self._base_url, self._transport)
        answer = await self._wire.send(request, token)
        self.accepted.note(token)
        return answer


class Accepted:
    """The tokens with which the service has answered a request with success, by digest; the last 10,000."""

    def __init__(self) -> None:
        self._digests: OrderedDict[str, None] = OrderedDict()

    def __contains__(self, digest: str) -> bool:
        return digest in self._digests

    def note(self, token: str) -> None:
        """Remember that the service takes this token."""
        self._digests[digest_of(token)] = None
        self._digests.move_to_end(digest_of(token))
        if len(self._digests) > _MOST_ACCEPTED:
            self._digests.popitem(last=False)


def digest_of(token: str) -> str:
    """Return by what a token is known where it is not used."""
    return hashlib.sha256(token.encode()).hexdigest()
