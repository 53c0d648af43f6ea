"""Telling whoever waits how it goes, at least every five seconds."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio

Tell = Callable[[float, str], Awaitable[None]]
"""Takes the seconds waited, which rise, and a message that a person can read."""

_EVERY_SECONDS = 4.0


@asynccontextmanager
async def telling(tell: Tell, message: Callable[[], str]) -> AsyncGenerator[None]:
    """Report while the body runs; a listener who has gone away does not end it."""
    started = anyio.current_time()

    async def report() -> None:
        while True:
            try:
                await tell(round(anyio.current_time() - started, 1), message())
            except (anyio.ClosedResourceError, anyio.BrokenResourceError):
                return
            await anyio.sleep(_EVERY_SECONDS)

    failure: Exception | None = None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(report)
        try:
            yield
        except Exception as error:  # noqa: BLE001 - raised again below, outside of the group that would wrap it
            failure = error
        tasks.cancel_scope.cancel()
    if failure is not None:
        raise failure
