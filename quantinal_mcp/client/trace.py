"""The trace that a call belongs to, so that whoever follows it can follow it into the service.

Source: W3C Trace Context, the header `traceparent`.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)

_traceparent: ContextVar[str | None] = ContextVar("quantinal_traceparent", default=None)


@contextmanager
def belonging_to(traceparent: object) -> Generator[None]:
    """Let all requests to the service that are made inside belong to this trace; what is none is not passed on."""
    match = _TRACEPARENT.fullmatch(traceparent) if isinstance(traceparent, str) else None
    place = _traceparent.set(match and match[0])
    try:
        yield
    finally:
        _traceparent.reset(place)


def trace_headers() -> dict[str, str]:
    """Return the headers that say so."""
    traceparent = _traceparent.get()
    return {"traceparent": traceparent} if traceparent else {}
