"""One request, carried through what a network does to it."""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Final

import anyio
import anyio.to_thread
import httpx
from tenacity import AsyncRetrying, AttemptManager, RetryCallState, retry_if_exception

from quantinal_mcp.client import retry
from quantinal_mcp.client.accepted import Accepted, digest_of
from quantinal_mcp.client.answers import decode, error_from
from quantinal_mcp.client.connections import SHARED_CONNECTIONS, Connections, Journey
from quantinal_mcp.client.failures import failure_of
from quantinal_mcp.client.paths import path
from quantinal_mcp.client.request import LARGEST_BODY, Request
from quantinal_mcp.client.shares import Held, Share
from quantinal_mcp.client.trace import trace_headers
from quantinal_mcp.client.turns import Turns
from quantinal_mcp.errors import InvalidResponse, NotFound, QuantinalError, RateLimited, RequestTimeout
from quantinal_mcp.models.outline import outline

SHARED_REQUESTS: Final = Share(account=16, unproven=16, total=SHARED_CONNECTIONS)
SINGLE_REQUESTS: Final = Share(account=16, unproven=16, total=128)
"""How many may be under way: those that may be sent twice, and those that have a connection of their own."""

_QUICKLY_DECODED: Final = 256 * 1024
_MOST_VALUES: Final = 500_000
"""In one answer: a page of a hundred runs holds some ten thousand."""
_LARGEST_FAILURE = 64 * 1024
"""Bytes that are read of what is asked for again, or is a page for people."""


class Wire:
    """Sends requests to one host.

    Those that may be sent twice share connections and wait for their turn in front of the pool, which walks its queue
    and its connections for every request that comes or goes. A POST, which may be held for minutes, waits for nobody:
    what it rests on may change meanwhile. There may be so many for each account and in all.
    """

    def __init__(self, base_url: str, accepted: Accepted, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._base_url = base_url.rstrip("/")
        self._connections = Connections(base_url, transport)
        self._turns = Turns(SHARED_REQUESTS, accepted.__contains__)
        self._single = Held(SINGLE_REQUESTS, accepted.__contains__)
        self._decoding = anyio.CapacityLimiter(1)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._connections.aclose()

    async def send(self, request: Request, token: str) -> Any:
        """Do what `Http.send` promises."""
        try:
            return await self._retried(request, token)
        except QuantinalError as error:
            # It remembers its frames, and tenacity's remember it: together they would keep what was sent and read until
            # they are swept up.
            raise error.with_traceback(None) from error.__cause__

    async def _retried(self, request: Request, token: str) -> Any:
        started = anyio.current_time()
        # tenacity's objects hold each other, and so what they are given, until they are swept up: not a request, nor
        # what pauses for it.
        repeatable, pause = request.repeatable, request.pause

        def wait(state: RetryCallState) -> float:
            return retry.wait_seconds(state.attempt_number, _failure(state), random.random())  # noqa: S311

        def stop(state: RetryCallState) -> bool:
            elapsed = anyio.current_time() - started
            return not retry.may_go_on(state.attempt_number, _failure(state), elapsed, state.upcoming_sleep)

        async def sleep(seconds: float) -> None:
            await pause(seconds)

        last: QuantinalError | None = None
        journey = self._connections.journey()
        doubtful = False
        attempt: AttemptManager | None = None
        try:
            with anyio.move_on_after(request.seconds):
                async for attempt in AsyncRetrying(
                    retry=retry_if_exception(lambda error: _may_repeat(error, repeatable=repeatable)),
                    wait=wait,
                    stop=stop,
                    sleep=sleep,
                    reraise=True,
                ):
                    with attempt:
                        try:
                            if request.before_again is not None and attempt.retry_state.attempt_number > 1:
                                await request.before_again()  # until it is sent again, what came of it last counts
                            last, journey = None, self._connections.journey()
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
        finally:
            if attempt is not None:
                attempt.retry_state.outcome = None
            last = attempt = None
            pause = anyio.sleep

    async def probe(self, seconds: float) -> str | None:
        """Do what `Http.probe` promises."""
        journey = self._connections.journey()
        request = self._connections.request("GET", self._base_url + path("spaces"), journey, timeout=seconds)
        try:
            async with self._connections.answer(request, shared=True) as response:
                return response.headers.get("date")
        except httpx.HTTPError as error:
            raise self._failure(error, journey) from error

    @asynccontextmanager
    async def _place(self, account: str) -> AsyncGenerator[None]:
        if self._single.take(account, 1):
            message = "As many requests are under way as this server sends at a time."
            # In the service's own form, since it means the same: nothing was executed.
            raise RateLimited(message, "Wait a moment, then call again.", status=429, body={"detail": message})
        try:
            yield
        finally:
            self._single.give_back(account, 1)

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
                self._turns.taken(digest_of(token)) if request.repeatable else self._place(digest_of(token)),
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
        if len(body) <= _QUICKLY_DECODED:
            return decode(body)
        # Neither the time it takes nor what it makes of a body is the event loop's, or other accounts', to bear.
        return await anyio.to_thread.run_sync(_decode_large, body, limiter=self._decoding)


def _decode_large(body: bytes) -> Any:
    if outline(body, _MOST_VALUES).values > _MOST_VALUES:
        raise InvalidResponse(
            f"The service's answer holds more than {_MOST_VALUES} values.", "Ask for a smaller page.", lasting=True
        )
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


def _may_repeat(error: BaseException, *, repeatable: bool) -> bool:
    return isinstance(error, QuantinalError) and retry.is_retryable(error, repeatable=repeatable)
