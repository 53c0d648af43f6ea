"""Which token a request brings, and whether it may borrow the server's own."""

from __future__ import annotations

import ipaddress
import re

from starlette.datastructures import Headers
from starlette.types import Scope

_HEADERS = ("x-api-key", "x-api-token", "x-auth-token")
_TOKEN = re.compile(r"qapi_[!-~]{1,507}")
_FORWARDED = ("forwarded", "via", "x-forwarded", "x-real-ip", "x-client-ip", "true-client-ip", "cf-", "x-original-")


class TwoTokens(Exception):
    """A request that carries two different tokens."""


def token_of(scope: Scope, lent: str | None) -> str | None:
    """Return the token that a request is served with; what it carries goes before what it could borrow.

    `lent` is the token that requests from this machine may use that bring none.

    Raises:
        TwoTokens: It carries more than one.
    """
    headers = Headers(scope=scope)
    given = _carried(headers)
    tokens = {value for value in given if _TOKEN.fullmatch(value)}
    if len(tokens) > 1:
        raise TwoTokens
    if tokens:
        return tokens.pop()
    is_foreign = any(name.startswith(_FORWARDED) for name in headers) or not _is_loopback(scope.get("client"))
    return None if given or is_foreign else lent


def has_credentials(scope: Scope) -> bool:
    """Whether a request carries anything where a token could be."""
    return bool(_carried(Headers(scope=scope)))


def _carried(headers: Headers) -> list[str]:
    """Return whatever stands where a token could be; another scheme's credential is none of ours."""
    given = [value.strip() for name in _HEADERS for value in headers.getlist(name)]
    for value in headers.getlist("authorization"):
        scheme, _, rest = value.strip().partition(" ")
        given.append(rest.strip() if scheme.lower() in {"", "bearer"} else "of another scheme")
    return [value for value in given if value]


def _is_loopback(client: tuple[str, int] | None) -> bool:
    try:
        return client is not None and ipaddress.ip_address(client[0]).is_loopback
    except ValueError:
        return False
