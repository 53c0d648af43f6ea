"""MCP on stdin and stdout."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any

from quantinal_mcp.settings import Settings

if TYPE_CHECKING:
    from types import FrameType

    from mcp.server import MCPServer

_GRACE_SECONDS = 0.5


def serve(settings: Settings) -> None:
    """Serve until stdin closes or a signal comes.

    The SDK reads stdin in a thread that nothing can wake while stdin stays open, so after a signal the event loop
    cannot end by itself: what is open is cancelled, gets a moment to close, and then the process ends by force.
    """
    # What a start makes stays: looking for garbage in it meanwhile takes a seventh of the start.
    gc.disable()

    import asyncio  # noqa: PLC0415

    import anyio  # noqa: PLC0415

    from quantinal_mcp.server import build_server  # noqa: PLC0415

    server = build_server(settings)
    gc.freeze()
    gc.enable()

    async def until_ended() -> None:
        loop = asyncio.get_running_loop()
        with anyio.CancelScope() as scope:

            def end(number: int, _frame: FrameType | None) -> None:
                watchdog = threading.Timer(_GRACE_SECONDS, os._exit, (128 + number,))
                watchdog.daemon = True
                watchdog.start()
                loop.call_soon_threadsafe(scope.cancel)

            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, end)
            try:
                await _answer_lines(server)
            except* BrokenPipeError:
                # The client has gone and nobody is left to tell, not even when its pipe's buffer is dropped unsent.
                sys.unraisablehook = lambda _: None

    anyio.run(until_ended)


async def _answer_lines(server: MCPServer[Any]) -> None:
    """Do what the SDK's `run_stdio_async` does, and answer lines that it cannot read as well."""
    import anyio  # noqa: PLC0415
    from mcp.server.stdio import stdio_server  # noqa: PLC0415
    from mcp.shared.message import SessionMessage  # noqa: PLC0415

    from quantinal_mcp.transports.lines import read_on  # noqa: PLC0415

    inner = server._lowlevel_server  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - there is no other way to its streams
    readable, messages = anyio.create_memory_object_stream[SessionMessage | Exception]()
    async with stdio_server() as (lines, answers), anyio.create_task_group() as tasks:
        tasks.start_soon(read_on, lines, readable, answers)
        await inner.run(messages, answers, inner.create_initialization_options())
        tasks.cancel_scope.cancel()
