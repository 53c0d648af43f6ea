"""One request, carried through what a network does to it."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import anyio
import httpx
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception

from quantinal_mcp import __version__
from quantinal_mcp.client import retry
from quantinal_mcp.client.answers import decode, error_from
from quantinal_mcp.errors import InvalidResponse, NetworkError, NotFound, QuantinalError, RequestTimeout

LARGEST_BODY = 32 * 1024 * 1024
_QUICK_CONNECTIONS = 8
_KEEPALIVE_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Request:
    """What to send; `seconds` bounds all attempts together."""

    method: Literal["GET", "POST", "PATCH", "DELETE"]
    path: str
    params: Mapping[str, str | int | float] = field(default_factory=dict[str, str | int | float])
    json: Mapping[str, Any] | None = None
    form: Mapping[str, str] | None = None
    file: tuple[str, bytes, str] | None = None
    long: bool = False
    seconds: float = retry.TOTAL_SECONDS

    @property
    def repeatable(self) -> bool:
        """Whether executing it twice leaves the same state as once: all but POST."""
        return self.method != "POST"


class Http:
    """The process's connections to one host; no request of one token meets state of another.

    Quick calls share few connections, since httpx serves more calls a second with 8 in flight than with 32;
    sync triggers hold theirs for minutes and have a pool of their own.
    """

    def __init__(self, base_url: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._base_url = base_url.rstrip("/")
        self._quick = self._pool(_QUICK_CONNECTIONS, transport)
        self._long = self._pool(None, transport)

    @staticmethod
    def _pool(connections: int | None, transport: httpx.AsyncBaseTransport | None) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            transport=transport,
            headers={"User-Agent": f"quantinal-mcp/{__version__}", "Accept": "application/json"},
            limits=httpx.Limits(
                max_connections=connections,
                max_keepalive_connections=_QUICK_CONNECTIONS,
                keepalive_expiry=_KEEPALIVE_SECONDS,
            ),
            follow_redirects=False,
        )

    async def aclose(self) -> None:
        """Close every connection."""
        await self._quick.aclose()
        await self._long.aclose()

    async def send(self, request: Request, token: str) -> Any:
        """Return the decoded JSON of a success.

        Raises:
            ApiError: The service answered, and not with success.
            InvalidResponse: A success whose body is no JSON, or larger than 32 MiB.
            NetworkError: No connection, or one that broke.
            RequestTimeout: No answer in time.
        """
        started = anyio.current_time()

        def wait(state: RetryCallState) -> float:
            return retry.wait_seconds(state.attempt_number, _failure(state), random.random())  # noqa: S311

        def stop(state: RetryCallState) -> bool:
            elapsed = anyio.current_time() - started
            return not retry.may_go_on(state.attempt_number, _failure(state), elapsed, state.upcoming_sleep)

        last: QuantinalError | None = None
        doubtful = False
        with anyio.move_on_after(request.seconds):
            async for attempt in AsyncRetrying(
                retry=retry_if_exception(lambda error: _may_repeat(error, request)),
                wait=wait,
                stop=stop,
                sleep=anyio.sleep,
                reraise=True,
            ):
                with attempt:
                    last = None
                    try:
                        return await self._once(request, token)
                    except NotFound:
                        if request.method == "DELETE" and doubtful:
                            return {"success": True, "message": "Deleted; the first answer was lost."}
                        raise
                    except QuantinalError as error:
                        last = error
                        doubtful = doubtful or not retry.never_executed(error)
                        raise
        raise last or RequestTimeout(
            f"The service did not answer within {request.seconds:.0f} s.", "Try again in a minute."
        )

    async def _once(self, request: Request, token: str) -> Any:
        client = self._long if request.long else self._quick
        outgoing = client.build_request(
            request.method,
            self._base_url + request.path,
            params=request.params or None,
            json=request.json,
            data=request.form,
            files={"file": request.file} if request.file else None,
            headers={"Authorization": f"Bearer {token}"},
            timeout=httpx.Timeout(request.seconds if not request.repeatable else 12.0, connect=5.0, pool=None),
        )
        try:
            response = await client.send(outgoing, stream=True)
            try:
                body = await _read(response)
            finally:
                await response.aclose()
        except (
            httpx.ConnectTimeout,
            httpx.ConnectError,
            httpx.UnsupportedProtocol,
            httpx.ProxyError,
        ) as error:
            raise NetworkError(
                f"Could not connect to {outgoing.url.host}.",
                "Nothing was sent. Check the network and QUANTINAL_BASE_URL, then try again.",
                connected=False,
            ) from error
        except httpx.TimeoutException as error:
            raise RequestTimeout("The service did not answer in time.", "Try again in a minute.") from error
        except httpx.HTTPError as error:
            raise NetworkError("The connection to the service broke.", "Try again in a minute.") from error
        if not response.is_success:
            raise error_from(response, body, token)
        return decode(body, token)


async def _read(response: httpx.Response) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.aiter_bytes():
        size += len(chunk)
        if size > LARGEST_BODY:
            raise InvalidResponse(
                f"The service's answer is larger than {LARGEST_BODY // 2**20} MiB.", "Ask for a smaller page."
            )
        chunks.append(chunk)
    return b"".join(chunks)


def _failure(state: RetryCallState) -> QuantinalError:
    error = state.outcome.exception() if state.outcome else None
    assert isinstance(error, QuantinalError)  # noqa: S101 - the only kind that is retried
    return error


def _may_repeat(error: BaseException, request: Request) -> bool:
    return isinstance(error, QuantinalError) and retry.is_retryable(error, repeatable=request.repeatable)
