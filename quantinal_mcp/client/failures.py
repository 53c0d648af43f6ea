"""From what a connection raises to an error that leads to the mend: the border where httpx's words become ours."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from typing import cast

import httpx

from quantinal_mcp.client.environment import Proxy
from quantinal_mcp.errors import Misconfigured, NetworkError, QuantinalError, RequestTimeout

_NEVER_SENT = httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError | httpx.UnsupportedProtocol


def failure_of(error: httpx.HTTPError, host: str, proxy: Proxy | None, *, is_sent: bool) -> QuantinalError:
    """Return what went wrong on the way to `host`; `is_sent` says whether the request may have left."""
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _untrusted(host, cause)
    if isinstance(error, httpx.ProxyError) and proxy is not None:
        return _refused_by(proxy, host, str(error))
    if isinstance(error, _NEVER_SENT) or not is_sent:
        way = f" through the proxy of {proxy.variable}" if proxy else ""
        return NetworkError(
            f"Could not connect to {host}{way}{_reason(causes)}.",
            "Nothing was sent. Check the network and QUANTINAL_BASE_URL, then try again.",
            connected=False,
        )
    if isinstance(error, httpx.TimeoutException):
        return RequestTimeout("The service did not answer in time.", "Try again in a minute.")
    return NetworkError("The connection to the service broke.", "Try again in a minute.")


def _untrusted(host: str, cause: ssl.SSLCertVerificationError) -> NetworkError:
    return NetworkError(
        f"The certificate of {host} is not trusted ({cause.verify_message.rstrip('.')}).",
        "Nothing was sent. Where a company's proxy or firewall signs it anew, tell the user to set SSL_CERT_FILE to a "
        "PEM file with that company's authority; else to check this machine's clock and QUANTINAL_BASE_URL.",
        connected=False,
        lasting=True,
    )


def _refused_by(proxy: Proxy, host: str, words: str) -> QuantinalError:
    """`words` are the status that the proxy answered with, and its reason; with SOCKS a sentence."""
    if words.startswith("407"):
        return Misconfigured(
            f"The proxy of {proxy.variable} wants a name and a password.",
            "Nothing was sent. Tell the user to put them into it, as name:password@ before the host, and to start this "
            "server anew.",
        )
    return NetworkError(
        f"The proxy of {proxy.variable} does not connect to {host} ({words.strip()[:100]}).",
        f"Nothing was sent. Tell the user to let it, or to add {host} to NO_PROXY.",
        connected=False,
        lasting=words.startswith("4"),
    )


def _reason(causes: list[BaseException]) -> str:
    for kind, reason in (
        (socket.gaierror, "its name is not known"),
        (ConnectionRefusedError, "it refuses the connection"),
        (httpx.ConnectTimeout, "it does not answer"),
        (ssl.SSLError, "no secure connection comes about"),
    ):
        if any(isinstance(cause, kind) for cause in causes):
            return f": {reason}"
    return ""


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    if error is None:
        return
    yield error
    if isinstance(error, BaseExceptionGroup):
        for one in cast("BaseExceptionGroup[BaseException]", error).exceptions:
            yield from _causes(one)
    yield from _causes(error.__cause__ or error.__context__)
