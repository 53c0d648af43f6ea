"""Streamable HTTP at `/mcp` for many accounts, each request served with the token it brings."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from mcp.server.transport_security import TransportSecuritySettings
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp

from quantinal_mcp import __version__
from quantinal_mcp.backend import connect, open_journal, own_token, require_journal
from quantinal_mcp.server import build_server
from quantinal_mcp.settings import Settings, load
from quantinal_mcp.transports.bounds import Bounds
from quantinal_mcp.transports.exchanges import Drain, Exchanges
from quantinal_mcp.transports.gate import PATH, Gate
from quantinal_mcp.transports.logs import Sparing
from quantinal_mcp.transports.memory import give_back_large_pieces
from quantinal_mcp.transports.readiness import Readiness
from quantinal_mcp.transports.sdk import sdk_app
from quantinal_mcp.transports.sessions import Sessions

if TYPE_CHECKING:
    from socket import socket
    from types import FrameType

_LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
_KEEPALIVE_SECONDS = 75  # longer than load balancers keep a connection, so that none sends on one just closed
_STOP_SECONDS = 1


def app(settings: Settings, *, lends: bool = True, bounds: Bounds | None = None, drain: Drain | None = None) -> ASGIApp:
    """Return the ASGI app: `/mcp` for MCP, and for whoever watches over it `/health` (alive) and `/ready`.

    Requests that bring no token use the environment's (or the sandbox's) only if they come from this machine, to a
    server that is bound to loopback and has no other names. `lends=False` turns that off for a server that does not
    know what it is bound to. `bounds` say what callers can make it hold, and `drain` ends what is in flight.
    """
    bounds = bounds or Bounds()
    connections = connect(settings)
    # Without the environment's token in it the server has nothing to fall back on.
    journal = open_journal(settings)
    server = build_server(replace(settings, api_token=None), lambda: connections, lambda: journal)
    server.custom_route("/health", methods=["GET"])(_health)
    server.custom_route("/ready", methods=["GET"])(Readiness(journal).answer)
    security = _security(settings)
    inner = sdk_app(server, PATH, security, bounds)
    is_proven = connections.accepted.__contains__
    exchanges = Exchanges(Sessions(inner, bounds, is_proven), bounds, is_proven, drain or Drain())
    return Gate(exchanges, inner, security, _lent(settings) if lends else None)


def create_app() -> ASGIApp:
    """Return the ASGI app as the environment configures it, for process managers that import it.

    For example
    `uvicorn --factory quantinal_mcp.transports.http:create_app --workers 4 --timeout-graceful-shutdown 1`.
    Each request brings its own token: what the manager binds is not known here, so the environment's is never used.
    Give all processes the same QUANTINAL_STATE_KEYS, and handshake-era clients sticky routing.

    Raises:
        SettingsError: A variable cannot be used.
    """
    settings = load(os.environ)
    require_journal(settings)
    # Below WARNING it prints the service's answers, in which a service may have echoed a token.
    logging.getLogger("httpcore").setLevel(logging.WARNING)
    return app(settings, lends=False)


async def serve(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM (asyncio only); waits in flight are ended then, the runs go on upstream.

    Raises:
        SystemExit: The address cannot be bound; the reason is logged.
    """
    from uvicorn import Config, Server  # noqa: PLC0415 - the other doors do not pay for it
    from uvicorn.server import HANDLED_SIGNALS  # noqa: PLC0415

    from quantinal_mcp.transports.connections import (  # noqa: PLC0415
        ACCEPTED_TOGETHER,
        Connection,
        lengthen_queue,
    )

    give_back_large_pieces()
    for handler in logging.getLogger().handlers:
        handler.addFilter(Sparing())
    drain = Drain()

    class Stoppable(Server):
        """Uvicorn, which says where it serves, ends what is in flight, and does not raise the signal again."""

        async def startup(self, sockets: list[socket] | None = None) -> None:
            await super().startup(sockets)
            lengthen_queue(self.servers[0])
            port: int = self.servers[0].sockets[0].getsockname()[1]
            sys.stderr.write(f"quantinal-mcp: serving at {_url(settings.host, port)}; {_whose(settings)}\n")
            sys.stderr.flush()

        async def shutdown(self, sockets: list[socket] | None = None) -> None:
            drain.end()
            await super().shutdown(sockets)

        @contextmanager
        def capture_signals(self) -> Generator[None]:
            if threading.current_thread() is not threading.main_thread():
                yield
                return
            before = {number: signal.signal(number, self.handle_exit) for number in HANDLED_SIGNALS}
            try:
                yield
            finally:
                for number, handler in before.items():
                    signal.signal(number, handler)

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
            self.should_exit = True

    config = Config(
        app(settings, drain=drain),
        host=settings.host,
        port=settings.port,
        http=Connection,
        backlog=ACCEPTED_TOGETHER,
        lifespan="on",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEPALIVE_SECONDS,
        timeout_graceful_shutdown=_STOP_SECONDS,
    )
    await Stoppable(config).serve()


async def _health(_request: Request) -> JSONResponse:
    return JSONResponse({"status": "ok", "version": __version__})


def _lent(settings: Settings) -> str | None:
    return own_token(settings) if settings.on_loopback and not settings.allowed_hosts else None


def _security(settings: Settings) -> TransportSecuritySettings:
    names = [pattern for name in _LOOPBACK_NAMES for pattern in (name, f"{name}:*")]
    hosts = [*names, *(name.lower() for name in settings.allowed_hosts)]
    return TransportSecuritySettings(
        allowed_hosts=hosts,
        allowed_origins=[f"{scheme}://{host}" for scheme in ("http", "https") for host in hosts],
    )


def _url(host: str, port: int) -> str:
    return f"http://{f'[{host}]' if ':' in host else host}:{port}{PATH}"


def _whose(settings: Settings) -> str:
    if _lent(settings):
        account = "the sandbox's account" if settings.sandbox else "the account of QUANTINAL_API_TOKEN"
        return f"requests that bring no token use {account}."
    unused = " (QUANTINAL_API_TOKEN is not used)" if settings.api_token else ""
    named = settings.on_loopback or settings.allowed_hosts
    unnamed = "" if named else " It answers to loopback names only: set QUANTINAL_ALLOWED_HOSTS."
    return f"each request brings its own token{unused}.{unnamed}"
