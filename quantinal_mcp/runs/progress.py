"""Telling whoever waits how it goes, at least every five seconds."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio

Tell = Callable[[str], Awaitable[None]]
"""Takes a message that a person can read."""

_FIRST_AFTER_SECONDS = 1.0
_EVERY_SECONDS = 4.0


@asynccontextmanager
async def telling(tell: Tell, message: Callable[[], str]) -> AsyncGenerator[None]:
    """Report while the body runs, if it takes a moment; a listener who has gone away does not end it."""

    async def report() -> None:
        await anyio.sleep(_FIRST_AFTER_SECONDS)
        while True:
            try:
                await tell(message())
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
