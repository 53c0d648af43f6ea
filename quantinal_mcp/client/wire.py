"""One request, carried through what a network does to it: the only module that knows httpx and tenacity."""

from __future__ import annotations

import random
import ssl
from contextlib import nullcontext
from typing import Any

import anyio
import httpx
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception

from quantinal_mcp import __version__
from quantinal_mcp.client import retry
from quantinal_mcp.client.answers import decode, error_from
from quantinal_mcp.client.request import LARGEST_BODY, Request
from quantinal_mcp.errors import InvalidResponse, NetworkError, NotFound, QuantinalError, RequestTimeout

_QUICK_CONNECTIONS = 8
_KEEPALIVE_SECONDS = 300.0


class Wire:
    """Two pools of connections to one host.

    Quick calls share few connections, since httpx serves more calls a second with 8 in flight than with 32, and queue
    in front of their pool, which walks its queue and its connections for every request that comes or goes. Sync
    triggers hold theirs for minutes and have a pool of their own.
    """

    def __init__(self, base_url: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._base_url = base_url.rstrip("/")
        trust = _trust(base_url)
        self._quick = self._pool(_QUICK_CONNECTIONS, transport, trust)
        self._long = self._pool(None, transport, trust)
        self._turns = anyio.Semaphore(_QUICK_CONNECTIONS, fast_acquire=True)

    @staticmethod
    def _pool(
        connections: int | None, transport: httpx.AsyncBaseTransport | None, trust: ssl.SSLContext
    ) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            transport=transport,
            verify=trust,
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
        """Do what `Http.send` promises."""
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
            async with nullcontext() if request.long else self._turns:
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
        if request.hear is not None:
            request.hear(response.headers)
        if not response.is_success:
            raise error_from(response, body, token)
        return decode(body, token)


def _trust(base_url: str) -> ssl.SSLContext:
    """Return what certificates are checked with, for both pools: loading the authorities takes some 50 ms.

    Plain http, which goes to loopback only, needs none.
    """
    if base_url.startswith("https:"):
        return httpx.create_ssl_context()
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


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
