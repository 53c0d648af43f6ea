"""When a request is sent again, and after how long: decisions without I/O."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from quantinal_mcp.errors import (
    ApiError,
    InvalidResponse,
    NetworkError,
    QuantinalError,
    RateLimited,
    RequestTimeout,
    UpstreamError,
)

ATTEMPTS = 5
TOTAL_SECONDS = 30.0
UNCONNECTED_SECONDS = 15.0
LONGEST_PAUSE_SECONDS = 86_400.0
"""A longer `Retry-After` says no more than that it is not today."""

_TOO_EARLY_OR_LATE = frozenset({408, 425})
"""What says that a request came too slowly, or before it could be taken."""


def never_executed(error: QuantinalError) -> bool:
    """Whether the service certainly did nothing: it said so itself, pointed elsewhere, or was never reached."""
    if isinstance(error, NetworkError | RequestTimeout):
        return not error.connected
    if isinstance(error, ApiError):
        return error.is_refusal or error.is_redirect
    return not isinstance(error, InvalidResponse)


def is_passing(error: QuantinalError) -> bool:
    """Whether the same request may be answered differently in a moment."""
    if isinstance(error, InvalidResponse | NetworkError):
        return not error.lasting
    if isinstance(error, ApiError) and error.status in _TOO_EARLY_OR_LATE:
        return True
    return isinstance(error, RequestTimeout | RateLimited | UpstreamError)


def is_retryable(error: QuantinalError, *, repeatable: bool) -> bool:
    """Whether sending again may help and cannot hurt.

    `repeatable` says that executing the request twice leaves the same state as once.
    """
    return is_passing(error) and (repeatable or never_executed(error))


def wait_seconds(attempt: int, error: QuantinalError, jitter: float) -> float:
    """Seconds before the next attempt, `attempt` being the number of those made and `jitter` from 0 to 1."""
    backoff = min(8.0, 0.4 * 2 ** (attempt - 1)) * (0.5 + jitter / 2)
    asked = error.retry_after if isinstance(error, RateLimited | UpstreamError) else None
    return max(backoff, asked or 0.0)


def may_go_on(attempt: int, error: QuantinalError, elapsed: float, wait: float) -> bool:
    """Whether another attempt fits: a hopeless `Retry-After` is reported rather than slept."""
    unreached = isinstance(error, NetworkError | RequestTimeout) and not error.connected
    limit = UNCONNECTED_SECONDS - 5 if unreached else TOTAL_SECONDS - 5
    return attempt < ATTEMPTS and elapsed + wait < limit


def parse_retry_after(value: str | None, now: datetime | None = None) -> float | None:
    """Seconds from a `Retry-After` header, a number of seconds or an HTTP date; at most a day."""
    if not value:
        return None
    if value.strip().isdecimal():
        return min(float(value), LONGEST_PAUSE_SECONDS)
    try:
        moment = parsedate_to_datetime(value)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        asked = (moment - (now or datetime.now(UTC))).total_seconds()
    except (ValueError, OverflowError):
        return None
    return min(max(0.0, asked), LONGEST_PAUSE_SECONDS)
