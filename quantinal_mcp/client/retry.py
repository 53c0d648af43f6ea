"""When a request is sent again, and after how long: decisions without I/O."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from quantinal_mcp.errors import (
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


def never_executed(error: QuantinalError) -> bool:
    """Whether the service certainly did nothing: it said so (429), or was never reached."""
    if isinstance(error, NetworkError | RequestTimeout):
        return not error.connected
    return isinstance(error, RateLimited)


def is_retryable(error: QuantinalError, *, repeatable: bool) -> bool:
    """Whether sending again may help and cannot hurt.

    `repeatable` says that executing the request twice leaves the same state as once.
    """
    if never_executed(error):
        return True
    transient = isinstance(error, NetworkError | RequestTimeout | UpstreamError | InvalidResponse)
    return repeatable and transient


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
    """Seconds from a `Retry-After` header: a number of seconds, or an HTTP date."""
    if not value:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - (now or datetime.now(UTC))).total_seconds())
