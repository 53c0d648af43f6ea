"""What a connection raises, and what a model reads of it."""

from __future__ import annotations

import socket
import ssl

import httpx
import pytest

from quantinal_mcp.client.environment import Proxy
from quantinal_mcp.client.failures import failure_of
from quantinal_mcp.errors import Misconfigured, NetworkError, QuantinalError, RequestTimeout


def caused(error: httpx.HTTPError, *causes: BaseException) -> httpx.HTTPError:
    """An error as httpx raises it: each cause is what led to the one before."""
    last: BaseException = error
    for cause in causes:
        last.__cause__ = cause
        last = cause
    return error


REFUSED = ExceptionGroup("several addresses", [OSError("unreachable"), ConnectionRefusedError()])
COULD_NOT = "Could not connect to host"


@pytest.mark.parametrize(
    ("error", "is_sent", "kind", "words"),
    [
        (httpx.ConnectError(""), True, NetworkError, f"{COULD_NOT}. "),
        (caused(httpx.ConnectError(""), OSError(), REFUSED), True, NetworkError, f"{COULD_NOT}: it refuses"),
        (caused(httpx.ConnectError(""), socket.gaierror()), True, NetworkError, f"{COULD_NOT}: its name"),
        (httpx.ConnectTimeout(""), True, NetworkError, f"{COULD_NOT}: it does not answer"),
        (caused(httpx.ConnectError(""), ssl.SSLError()), True, NetworkError, f"{COULD_NOT}: no secure connection"),
        (httpx.UnsupportedProtocol(""), True, NetworkError, COULD_NOT),
        (httpx.ReadTimeout(""), False, NetworkError, COULD_NOT),
        (httpx.RemoteProtocolError(""), False, NetworkError, COULD_NOT),
        (httpx.ReadTimeout(""), True, RequestTimeout, "did not answer in time"),
        (httpx.WriteTimeout(""), True, RequestTimeout, "did not answer in time"),
        (httpx.ReadError(""), True, NetworkError, "broke"),
        (httpx.RemoteProtocolError(""), True, NetworkError, "broke"),
        (httpx.DecodingError(""), True, NetworkError, "broke"),
    ],
)
def test_how_a_connection_failed(error: httpx.HTTPError, is_sent: bool, kind: type[QuantinalError], words: str) -> None:
    failure = failure_of(error, "host", None, is_sent=is_sent)
    assert type(failure) is kind
    assert words in str(failure)
    assert getattr(failure, "connected", None) is ("Nothing was sent" not in str(failure))


@pytest.mark.parametrize(
    ("words", "kind", "lasting"),
    [
        ("407 Proxy Authentication Required", Misconfigured, None),
        ("403 Forbidden", NetworkError, True),
        ("503 Service Unavailable", NetworkError, False),
        ("Connection not allowed by ruleset", NetworkError, False),
        ("", NetworkError, False),
    ],
)
def test_how_a_proxy_refused(words: str, kind: type[QuantinalError], lasting: bool | None) -> None:
    failure = failure_of(httpx.ProxyError(words), "host", Proxy("http://u:s3cret@p", "ALL_PROXY"), is_sent=False)
    assert type(failure) is kind
    assert "the proxy of ALL_PROXY" in str(failure).replace("The", "the")
    assert "Nothing was sent" in str(failure)
    assert "s3cret" not in str(failure)
    assert getattr(failure, "lasting", None) is lasting
