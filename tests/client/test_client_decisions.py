"""Whether and when something is sent again, as tables of the decisions."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from quantinal_mcp.client.retry import is_retryable, may_go_on, never_executed, parse_retry_after, wait_seconds
from quantinal_mcp.errors import (
    InvalidRequest,
    InvalidResponse,
    NetworkError,
    NotFound,
    QuantinalError,
    RateLimited,
    Rejected,
    RequestTimeout,
    UpstreamError,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("7", 7.0),
        (" 7 ", 7.0),
        ("0", 0.0),
        ("soon", None),
        ("-1", None),
        ("1.5", None),
        ("Sun, 01 Mar 2026 12:00:30 GMT", 30.0),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0.0),
        ("Sun, 01 Mar 2026 12:00:30 -0000", 30.0),
        ("Sun, 01 Mar 2026 13:00:30 +0100", 30.0),
        ("99 Abc 2026", None),
        ("9" * 400, 86_400.0),
        ("９" * 5000, 86_400.0),
        ("Sun, 01 Mar 9999 12:00:30 GMT", 86_400.0),
        ("Sun, 01 Mar 99999 12:00:30 GMT", None),
        ("Sun, 01 Mar 0001 00:00:00 +2359", 0.0),
        ("Sun, 01 Mar 2026 12:00:30 +999999", None),
        ("Sun, 01 Mar 99999999999999999999 12:00:30 GMT", None),
    ],
)
def test_how_long_the_service_asks_to_wait(value: str | None, seconds: float | None) -> None:
    assert parse_retry_after(value, NOW) == seconds


UNREACHED = NetworkError("x", connected=False)
DETAIL = {"detail": "No."}
DECISIONS: list[tuple[QuantinalError, bool, bool, bool]] = [
    (RateLimited("x", status=429, body=DETAIL), True, True, True),
    (RateLimited("x", status=429), False, True, False),
    (UNREACHED, True, True, True),
    (RequestTimeout("x", connected=False), True, True, True),
    (NetworkError("x"), False, True, False),
    (RequestTimeout("x"), False, True, False),
    (UpstreamError("x", status=500, body=DETAIL), False, True, False),
    (InvalidResponse("x"), False, True, False),
    (InvalidResponse("x", lasting=True), False, False, False),
    (NotFound("x", status=404, body=DETAIL), True, False, False),
    (NotFound("x", status=404), False, False, False),
    (Rejected("x", status=422, body={"detail": []}), True, False, False),
    (Rejected("x", status=408, body=DETAIL), False, True, False),
    (Rejected("x", status=425), False, True, False),
    (Rejected("x", status=413, body=DETAIL), False, False, False),
    (Rejected("x", status=307), True, False, False),
    (InvalidRequest("x"), True, False, False),
]


@pytest.mark.parametrize(("error", "certain", "read", "write"), DECISIONS)
def test_what_may_be_sent_again(error: QuantinalError, certain: bool, read: bool, write: bool) -> None:
    assert never_executed(error) is certain
    assert is_retryable(error, repeatable=True) is read
    assert is_retryable(error, repeatable=False) is write


@pytest.mark.parametrize(
    ("attempt", "error", "jitter", "seconds"),
    [
        (1, UpstreamError("x"), 0, 0.2),
        (1, UpstreamError("x"), 1, 0.4),
        (2, UpstreamError("x"), 1, 0.8),
        (3, UpstreamError("x"), 0.5, 1.2),
        (10, UpstreamError("x"), 1, 8.0),
        (1, RateLimited("x", retry_after=5), 1, 5.0),
        (1, UpstreamError("x", retry_after=5), 0, 5.0),
        (4, RateLimited("x", retry_after=0.1), 1, 3.2),
        (1, NetworkError("x"), 1, 0.4),
    ],
)
def test_how_long_to_wait(attempt: int, error: QuantinalError, jitter: float, seconds: float) -> None:
    assert wait_seconds(attempt, error, jitter) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("attempt", "error", "elapsed", "wait", "goes_on"),
    [
        (1, UpstreamError("x"), 0, 1, True),
        (4, UpstreamError("x"), 0, 1, True),
        (5, UpstreamError("x"), 0, 1, False),
        (1, UpstreamError("x"), 20, 4, True),
        (1, UpstreamError("x"), 20, 5, False),
        (1, RateLimited("x"), 0, 3600, False),
        (1, UNREACHED, 8, 1, True),
        (1, UNREACHED, 9, 1, False),
    ],
)
def test_whether_another_attempt_fits(
    attempt: int, error: QuantinalError, elapsed: float, wait: float, goes_on: bool
) -> None:
    assert may_go_on(attempt, error, elapsed, wait) is goes_on
