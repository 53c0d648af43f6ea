"""Connections to one host: which of them serve more than one request, and which are made for a single one."""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from importlib.util import find_spec
from typing import Any
from urllib.request import getproxies

import anyio
import httpx

from quantinal_mcp import __version__
from quantinal_mcp.client.environment import Proxy, proxy_for, trust
from quantinal_mcp.errors import Misconfigured

SHARED_CONNECTIONS = 64
_KEPT_CONNECTIONS = 8
KEPT_SECONDS = 30.0
"""How long an idle connection is used again: less than load balancers and routers forget one in."""

_CLOSING_SECONDS = 2.0


@dataclass
class Journey:
    """How far a request has come. `is_sent` says whether its first byte may have left."""

    is_sent: bool = False

    async def __call__(self, event: str, info: Mapping[str, Any]) -> None:
        """Take note of what the connection reports; a tunnel's own request goes to the proxy only."""
        if event.endswith("send_request_headers.started") and info["request"].method != b"CONNECT":
            self.is_sent = True


@dataclass(eq=False)
class _Pool:
    client: httpx.AsyncClient
    used_at: float
    users: int = 0


class Connections:
    """The way to one host.

    A connection that was idle may have gone: a load balancer forgot it, a laptop slept. The client notices where the
    other side said so, and otherwise only by a request that is never answered; and what follows on such a request
    takes the next idle connection, which is as old. (https://github.com/encode/httpx/issues/2983) So a request that
    must not be sent twice has a connection of its own, and the first one that fails on a shared connection, or the
    first after a pause, leaves all the shared ones behind.

    `transport` takes the place of the network, where nothing goes stale. `clock` gives the time of day in seconds: it
    goes on while a machine sleeps, which the one that httpx lets connections expire by may not.
    """

    def __init__(
        self,
        base_url: str,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Find the way.

        Raises:
            Misconfigured: The environment, or the base URL, leads nowhere.
        """
        self.host = _host_of(base_url)
        self.proxy = proxy_for(base_url, os.environ, getproxies()) if transport is None else None
        self._transport = transport
        self._clock = clock
        # For all pools: loading the authorities takes some 50 ms, and plain http, to loopback only, needs none.
        is_secure = transport is None and base_url.startswith("https:")
        self._trust = trust(os.environ) if is_secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._shared = _Pool(self._client(SHARED_CONNECTIONS, _KEPT_CONNECTIONS), clock())
        self._single = _Pool(self._client(None, 0), clock())
        self._left: set[_Pool] = set()

    def _client(self, most: int | None, kept: int) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            transport=self._transport,
            proxy=_spoken_to(self.proxy, self._trust) if self.proxy else None,
            trust_env=False,
            verify=self._trust,
            headers={"User-Agent": f"quantinal-mcp/{__version__}", "Accept": "application/json"},
            cookies=_no_cookies(),
            limits=httpx.Limits(
                max_connections=most, max_keepalive_connections=kept, keepalive_expiry=KEPT_SECONDS if kept else None
            ),
            follow_redirects=False,
            event_hooks={"response": [_forget_where_to]},
        )

    async def aclose(self) -> None:
        """Close every connection."""
        for pool in (self._shared, self._single, *self._left):
            await pool.client.aclose()

    def journey(self) -> Journey:
        """Return where a request's progress is noted; where there is no network, it has always been sent."""
        return Journey(is_sent=self._transport is not None)

    def request(self, method: str, url: str, journey: Journey, **parts: Any) -> httpx.Request:
        """Return a request whose progress `journey` follows."""
        return self._single.client.build_request(method, url, extensions={"trace": journey}, **parts)

    @asynccontextmanager
    async def answer(self, request: httpx.Request, *, shared: bool) -> AsyncGenerator[httpx.Response]:
        """Send a request and yield its answer, whose body is still to be read; raises what httpx does.

        `shared=False` sends it on a connection that is made for it, and closed after it.
        """
        pool = self._fresh() if shared else self._single
        pool.users += 1
        is_whole = False
        try:
            response = await pool.client.send(request, stream=True)
            try:
                yield response
            finally:
                await response.aclose()
                # httpx lets the two hold each other, and with them what was sent, until they are swept up.
                response.stream = httpx.ByteStream(b"")
            is_whole = True
        finally:
            pool.users -= 1
            pool.used_at = self._clock()
            if not is_whole and pool is self._shared:
                self._leave()
            await self._close_left()

    def _fresh(self) -> _Pool:
        if not 0 <= self._clock() - self._shared.used_at <= KEPT_SECONDS:
            self._leave()
        return self._shared

    def _leave(self) -> None:
        """Let the shared connections go; requests that are under way on them end there."""
        if self._transport is None:
            self._left.add(self._shared)
            self._shared = _Pool(self._client(SHARED_CONNECTIONS, _KEPT_CONNECTIONS), self._clock())

    async def _close_left(self) -> None:
        for pool in [pool for pool in self._left if not pool.users]:
            self._left.discard(pool)
            with anyio.move_on_after(_CLOSING_SECONDS, shield=True):
                await pool.client.aclose()


def _host_of(base_url: str) -> str:
    try:
        return httpx.URL(base_url).host
    except (httpx.InvalidURL, ValueError):
        raise Misconfigured(
            "QUANTINAL_BASE_URL is no URL that a request can be sent to.",
            "Nothing was sent. Tell the user to correct or unset it, and to start this server anew.",
        ) from None


def _spoken_to(proxy: Proxy, trusted: ssl.SSLContext) -> httpx.Proxy:
    if proxy.url.startswith("socks5") and find_spec("socksio") is None:
        raise Misconfigured(
            f"{proxy.variable} names a SOCKS proxy, and the package that speaks to one, socksio, is not installed.",
            "Nothing was sent. Tell the user to install it beside this server, or to set HTTPS_PROXY to an HTTP proxy, "
            "or to add the host to NO_PROXY, and to start this server anew.",
        )
    return httpx.Proxy(proxy.url, ssl_context=trusted if proxy.url.startswith("https:") else None)


def _no_cookies() -> CookieJar:
    """Return a jar that takes none: what the service sets for one account must not go with another's requests.

    httpx has no switch for it: https://github.com/encode/httpx/issues/2992.
    """
    return CookieJar(DefaultCookiePolicy(allowed_domains=[]))


async def _forget_where_to(response: httpx.Response) -> None:
    """Drop where a redirect leads: httpx reads it although nobody follows, and fails where it is no URL.

    https://github.com/encode/httpx/pull/3706
    """
    response.headers.pop("location", None)
