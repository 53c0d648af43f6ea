"""One request, carried through what a network does to it."""

from __future__ import annotations

import random
from contextlib import nullcontext
from typing import Any

import anyio
import httpx
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception

from quantinal_mcp.client import retry
from quantinal_mcp.client.answers import decode, error_from
from quantinal_mcp.client.connections import QUICK_CONNECTIONS, Connections, Journey
from quantinal_mcp.client.failures import failure_of
from quantinal_mcp.client.paths import path
from quantinal_mcp.client.request import LARGEST_BODY, Request
from quantinal_mcp.client.trace import trace_headers
from quantinal_mcp.errors import InvalidResponse, NotFound, QuantinalError, RequestTimeout

_LARGEST_FAILURE = 64 * 1024
"""Bytes that are read of what is asked for again, or is a page for people."""


class Wire:
    """Sends requests to one host.

    Those that may be sent twice share few connections, since httpx serves more calls a second with 8 in flight than
    with 32, and queue in front of their pool, which walks its queue and its connections for every request that comes
    or goes. A POST, which may be held for minutes, waits for nobody.
    """

    def __init__(self, base_url: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._base_url = base_url.rstrip("/")
        self._connections = Connections(base_url, transport)
        self._turns = anyio.Semaphore(QUICK_CONNECTIONS, fast_acquire=True)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._connections.aclose()

    async def send(self, request: Request, token: str) -> Any:
        """Do what `Http.send` promises."""
        started = anyio.current_time()

        def wait(state: RetryCallState) -> float:
            return retry.wait_seconds(state.attempt_number, _failure(state), random.random())  # noqa: S311

        def stop(state: RetryCallState) -> bool:
            elapsed = anyio.current_time() - started
            return not retry.may_go_on(state.attempt_number, _failure(state), elapsed, state.upcoming_sleep)

        last: QuantinalError | None = None
        journey = self._connections.journey()
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
                    last, journey = None, self._connections.journey()
                    try:
                        if request.before_again is not None and attempt.retry_state.attempt_number > 1:
                            await request.before_again()
                        return await self._once(request, token, journey)
                    except NotFound as error:
                        if request.method == "DELETE" and doubtful and error.is_refusal:
                            return {"success": True, "message": "Deleted; the first answer was lost."}
                        raise
                    except QuantinalError as error:
                        last = error
                        doubtful = doubtful or not retry.never_executed(error)
                        raise
        raise last or RequestTimeout(
            f"The service did not answer within {request.seconds:.0f} s.",
            "Try again in a minute.",
            connected=journey.is_sent,
        )

    async def probe(self, seconds: float) -> str | None:
        """Do what `Http.probe` promises."""
        journey = self._connections.journey()
        request = self._connections.request("GET", self._base_url + path("spaces"), journey, timeout=seconds)
        try:
            async with self._connections.answer(request, shared=True) as response:
                return response.headers.get("date")
        except httpx.HTTPError as error:
            raise self._failure(error, journey) from error

    def _failure(self, error: httpx.HTTPError, journey: Journey) -> QuantinalError:
        way = self._connections
        return failure_of(error, way.host, way.proxy, is_sent=journey.is_sent)

    async def _once(self, request: Request, token: str, journey: Journey) -> Any:
        outgoing = self._connections.request(
            request.method,
            self._base_url + request.path,
            journey,
            params=request.params or None,
            json=request.json,
            data=request.form,
            files={"file": request.file} if request.file else None,
            headers={"Authorization": f"Bearer {token}", **trace_headers()},
            timeout=httpx.Timeout(12.0 if request.repeatable else request.seconds, connect=5.0, pool=None),
        )
        try:
            async with (
                self._turns if request.repeatable else nullcontext(),
                self._connections.answer(outgoing, shared=request.repeatable) as response,
            ):
                body = await _read(response)
        except httpx.HTTPError as error:
            raise self._failure(error, journey) from error
        if request.hear is not None:
            request.hear(response.headers)
        if not response.is_success:
            retry_after = response.headers.get("retry-after")
            raise error_from(response.status_code, retry_after, body or b"", token, self._base_url)
        if body is None:
            raise InvalidResponse(
                f"The service's answer is larger than {LARGEST_BODY // 2**20} MiB.",
                "Ask for a smaller page.",
                lasting=True,
            )
        if response.status_code == 204 and request.method in {"PATCH", "DELETE"}:
            return None
        return decode(body)


async def _read(response: httpx.Response) -> bytes | None:
    """Return the body; None where it is larger than it may be, of which the rest is not read."""
    most = _LARGEST_FAILURE if response.is_server_error or response.is_redirect else LARGEST_BODY
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.aiter_bytes():
        size += len(chunk)
        if size > most:
            return None
        chunks.append(chunk)
    return b"".join(chunks)


def _failure(state: RetryCallState) -> QuantinalError:
    error = state.outcome.exception() if state.outcome else None
    assert isinstance(error, QuantinalError)  # noqa: S101 - the only kind that is retried
    return error


def _may_repeat(error: BaseException, request: Request) -> bool:
    return isinstance(error, QuantinalError) and retry.is_retryable(error, repeatable=request.repeatable)
