"""What the service may answer, and what never comes out of it."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from help.eras import virtual_time
from help.seeded import RUN, SOURCE, SPACE, TESLA
from help.services import always, reaching
from quantinal_mcp.client import QuantinalClient
from quantinal_mcp.client.answers import error_from
from quantinal_mcp.client.paths import path
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
from quantinal_mcp.models.text import clean_text
from quantinal_mcp.models.trackers import NewTracker
from quantinal_mcp.sandbox import Sandbox

SECRET = "qapi_5ecret-token"

ATTACKS = (
    "",
    ".",
    "..",
    "../spaces",
    "a/b",
    "/a",
    "a/",
    "a\\b",
    "%2e%2e",
    "a%2fb",
    "a%00",
    "a\x00",
    "a\n",
    "a\r\nX: y",
    " ",
    "a b",
    "a?b=c",
    "a#b",
    "a;b",
    "a:b",
    "a@b",
    "é",
    "１",
    "\u202ea",
    "\ud800",
    "x" * 129,
    "x" * 100_000,
)

NOTHING: NewTracker = {"name": "N", "description": "D", "run_mode": "manual", "agent_config": {}}

BY_ID: tuple[Callable[[QuantinalClient, str], Awaitable[Any]], ...] = (
    lambda client, bad: client.get_space(bad),
    lambda client, bad: client.create_tracker(bad, NOTHING),
    lambda client, bad: client.get_tracker(bad),
    lambda client, bad: client.update_tracker(bad, {}),
    lambda client, bad: client.delete_tracker(bad),
    lambda client, bad: client.trigger_run(bad, sync=False, context=None, seconds=5),
    lambda client, bad: client.list_runs(bad, {}),
    lambda client, bad: client.get_run(bad, RUN),
    lambda client, bad: client.get_run(TESLA, bad),
    lambda client, bad: client.update_run_comment(TESLA, bad, "x"),
    lambda client, bad: client.delete_run(bad, RUN),
    lambda client, bad: client.delete_run(TESLA, bad),
    lambda client, bad: client.get_vault(bad),
    lambda client, bad: client.list_recent_vault_data(bad, {}),
    lambda client, bad: client.upload_file(bad, "n.txt", b"x", "text/plain", None),
    lambda client, bad: client.upload_json(bad, {}),
    lambda client, bad: client.list_vault_sources(bad),
    lambda client, bad: client.get_vault_source(TESLA, bad),
    lambda client, bad: client.update_vault_source(TESLA, bad, {}),
    lambda client, bad: client.delete_vault_source(bad, SOURCE),
    lambda client, bad: client.delete_vault_source(TESLA, bad),
)


@pytest.mark.anyio
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: ascii(attack[:20]))
async def test_an_id_cannot_leave_its_segment_of_the_path(
    client: QuantinalClient, sandbox: Sandbox, attack: str
) -> None:
    for call in BY_ID:
        with pytest.raises(InvalidRequest):
            await call(client, attack)
    assert not sandbox.requests


def test_a_path_is_made_of_plain_segments() -> None:
    assert path("trackers", TESLA, "runs", RUN) == f"/api/trackers/{TESLA}/runs/{RUN}"
    assert path("x" * 128) == "/api/" + "x" * 128


NO_JSON: tuple[bytes, ...] = (
    b"",
    b"<html>502</html>",
    b"{",
    b'{"space_id": "spc_1"} trailing',
    b'{"space_id": NaN}',
    b'{"space_id": "spc_1", "used_gb": NaN}',
    b'{"space_id": "spc_1", "used_gb": Infinity}',
    b'{"space_id": "spc_1", "used_gb": -Infinity}',
    b'{"space_id": "spc_1", "name": "\\ud800", "used_gb": NaN}',
    b'{"space_id": "caf\xe9"}',
    '{"space_id": "spc_1"}'.encode("utf-16"),
    '{"space_id": "spc_1"}'.encode("utf-32"),
    b"\x00\x01\x02",
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b'{"space_id": "spc_1", "x": ' + b"[" * 5000 + b"]" * 5000 + b"}",
)
WRONG_SHAPES: tuple[bytes, ...] = (
    b"[]",
    b"null",
    b"5",
    b'"spc_1"',
    b"{}",
    b'{"space_id": null}',
    b'{"space_id": 5}',
    b'{"space_id": ["spc_1"]}',
    b'{"space_id": "spc_1", "used_gb": "much"}',
    b'{"space_id": "spc_1", "tracker_count": 1.5}',
    b'{"space_id": "spc_1", "name": {"a": 1}}',
)


@virtual_time
@pytest.mark.anyio
@pytest.mark.parametrize("body", NO_JSON + WRONG_SHAPES, ids=lambda body: ascii(body[:40]))
async def test_a_success_that_is_not_what_was_promised_is_an_invalid_response(body: bytes) -> None:
    async with reaching(transport=always(body)) as client:
        with pytest.raises(InvalidResponse) as caught:
            await client.get_space(SPACE)
    assert "pydantic" not in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("body", "name"),
    [
        (b'{"space_id": "spc_1", "name": "\\ud83d\\ude80"}', "\U0001f680"),
        (b'{"space_id": "spc_1", "name": "a\\ud800b"}', "ab"),
        (b'{"space_id": "spc_1", "name": "a\\udc00\\ud800b", "used_gb": 0.1}', "ab"),
        ('{"space_id": "spc_1", "name": "é\u200b東"}'.encode(), "é\u200b東"),
        (b'{"space_id": "spc_1", "name": "\\u202eabc\\u0000\\r"}', "\u202eabc\x00\r"),
        ('{"space_id": "spc_1", "name": "👩\u200d🔬❤\ufe0f"}'.encode(), "👩\u200d🔬❤\ufe0f"),
        (b'{"space_id": "spc_1", "name": "qapi_sandbox"}', "qapi_sandbox"),
        (b'{"space_id": "spc_1", "name": null}', None),
        (b' \n {"space_id": "spc_1", "name": "x"} \n', "x"),
    ],
)
async def test_text_arrives_as_the_service_wrote_it(body: bytes, name: str | None) -> None:
    async with reaching(transport=always(body)) as client:
        assert (await client.get_space(SPACE)).get("name") == name


@pytest.mark.anyio
async def test_a_large_answer_is_read_and_one_of_too_many_values_is_not() -> None:
    large = {"tracker_id": TESLA, "notes": ["Much to say. " * 20] * 20_000}
    async with reaching(transport=always(json.dumps(large))) as client:
        tracker: Any = await client.get_tracker(TESLA)
        assert tracker["notes"] == large["notes"]
    endless = f'{{"tracker_id": "{TESLA}", "notes": [{"[]," * 500_000}0]}}'
    async with reaching(transport=always(endless)) as client:
        with pytest.raises(InvalidResponse, match="more than 500000 values"):
            await client.get_tracker(TESLA)


@pytest.mark.anyio
async def test_fields_that_nobody_documented_are_kept() -> None:
    body = {"space_id": "spc_1", "colour": {"deep": [1, None, {"x": 2.5}]}}
    async with reaching(transport=always(json.dumps(body))) as client:
        assert dict(await client.get_space(SPACE)) == body


ECHOES: tuple[tuple[str, str], ...] = (
    ("plain", SECRET),
    ("escaped", SECRET.replace("q", "\\u0071").replace("-", "\\u002d")),
    ("split", f"{SECRET[:9]}\\u200b{SECRET[9:]}"),
    ("split by raw characters", f"{SECRET[:4]}\u2060{SECRET[4:9]}\ufeff{SECRET[9:]}"),
    ("cut off", "x" * (600 - len(SECRET)) + SECRET + " and more"),
)


@virtual_time
@pytest.mark.anyio
@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 422, 429, 500])
@pytest.mark.parametrize("echo", [echo for _, echo in ECHOES], ids=[name for name, _ in ECHOES])
async def test_an_error_holds_no_token_that_the_service_echoed(
    status: int, echo: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    body = f'{{"space_id": "spc {echo}", "name": "{echo}", "{echo}": ["{echo}"], "detail": "{echo}"}}'
    service = always(body.encode(), status)
    async with reaching(transport=service, token=SECRET) as client:
        with pytest.raises(QuantinalError) as caught:
            await client.get_space(SPACE)
        error = caught.value
        said = f"{error} {error!r} {vars(error)} {error.__cause__!r} {error.__context__!r} {client!r}"
    for text in (said, said.encode().decode("unicode_escape"), clean_text(said), caplog.text):
        assert SECRET not in text
        assert SECRET[:12] not in text
    assert {request.headers["Authorization"] for request in service.requests} == {f"Bearer {SECRET}"}
    assert all(SECRET not in str(request.url) for request in service.requests)


@pytest.mark.anyio
async def test_requests_say_who_sends_them_and_what_they_take() -> None:
    service = always('{"space_id": "spc_1"}')
    async with reaching(transport=service) as client:
        await client.get_space(SPACE)
    (request,) = service.requests
    assert request.headers["User-Agent"].startswith("quantinal-mcp/")
    assert request.headers["Accept"] == "application/json"


@pytest.mark.anyio
async def test_absent_filters_are_not_sent_and_a_cleared_comment_is_null() -> None:
    service = always(json.dumps({"data": [], "run_id": RUN, "status": "completed"}))
    async with reaching(transport=service) as client:
        await client.list_runs(TESLA, {"status": None, "min_score": 0.0, "page": 1})
        await client.update_run_comment(TESLA, RUN, "")
    listed, commented = service.requests
    assert dict(listed.url.params) == {"min_score": "0.0", "page": "1"}
    assert json.loads(commented.content) == {"comment": None}


IDS = "Check the id with the matching list tool"
BASE = "check QUANTINAL_BASE_URL"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("base_url", "body", "said"),
    [
        ("http://service/v1", '{"detail": "Space not found"}', {IDS}),
        ("http://service/v1/", '{"detail": "Space not found"}', {IDS}),
        ("http://service/gateway/v1", '{"detail": "Space not found"}', {IDS}),
        ("http://service/v1", '{"detail": "Not Found"}', {IDS, BASE}),
        ("http://service/v1", "<html>404</html>", {IDS, BASE}),
        ("http://service", '{"detail": "Not Found"}', {"QUANTINAL_BASE_URL: by the documents it ends in /v1"}),
        ("http://service/v1/api", '{"detail": "Not Found"}', {"QUANTINAL_BASE_URL: by the documents it ends in /v1"}),
        ("http://service/v1/api/", "", {"QUANTINAL_BASE_URL: by the documents it ends in /v1"}),
        ("http://service/v2", '{"detail": "Space not found"}', {"QUANTINAL_BASE_URL: by the documents"}),
    ],
)
async def test_what_is_not_there_may_be_the_endpoint(base_url: str, body: str, said: set[str]) -> None:
    async with reaching(base_url, always(body, 404)) as client:
        with pytest.raises(NotFound) as caught:
            await client.get_space(SPACE)
    assert all(words in str(caught.value) for words in said)
    assert (IDS in str(caught.value)) == (IDS in said)
    assert ("QUANTINAL_BASE_URL" in str(caught.value)) == (said != {IDS})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.patient
@given(
    st.integers(300, 599),
    st.none() | st.text(max_size=10),
    JSON | st.fixed_dictionaries({"detail": JSON}),
    st.sampled_from(["http://service/v1", "http://service"]),
)
def test_whatever_stands_in_a_failure_an_error_is_made_of_it(
    status: int, retry_after: str | None, body: object, base_url: str
) -> None:
    error = error_from(status, retry_after, json.dumps(body).encode(), SECRET, base_url)
    assert error.status == status
    assert str(error).startswith(f"[{error.code}] ")
    assert "\n" not in str(error)
    assert len(str(error)) < 1500
    assert error.is_refusal <= (status < 500)


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
