"""The sandbox on a real socket, loopback only."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.lowlevel
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from quantinal_mcp.sandbox.wire.front import CLOSE


class _Protocol(H11Protocol):
    """Lets the app close the connection its request came by."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        # close() still sends what was written, which half an answer needs; nothing follows it.
        self.app_state: dict[str, Any] = {**self.app_state, CLOSE: transport.close}


@asynccontextmanager
async def serve(app: ASGIApp, port: int) -> AsyncGenerator[str]:
    """Serve on 127.0.0.1 (a free port for 0) and yield the base URL.

    Uvicorn's protocol is used without its `Server`, which would take over signal
    handlers, and wait for hanging requests when it ends.
    """
    pending: set[anyio.CancelScope] = set()

    async def endable(scope: Scope, receive: Receive, send: Send) -> None:
        with anyio.CancelScope() as request:
            pending.add(request)
            try:
                await app(scope, receive, send)
            finally:
                pending.discard(request)

    config = Config(
        endable,
        lifespan="off",
        log_config=None,
        access_log=False,
        date_header=False,
        server_header=False,
        timeout_keep_alive=300,
    )
    config.load()
    state = ServerState()
    server = await asyncio.get_running_loop().create_server(lambda: _Protocol(config, state, {}), "127.0.0.1", port)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    finally:
        server.close()
        with anyio.CancelScope(shield=True):
            for connection in list(state.connections):
                connection.transport.abort()
            # Until the protocols know that they are disconnected, an ended request logs an error.
            await _emptied(state.connections)
            for request in list(pending):
                request.cancel()
            await _emptied(state.tasks)


async def _emptied(things: set[Any]) -> None:
    with anyio.move_on_after(0.5):
        while things:
            await anyio.lowlevel.checkpoint()
