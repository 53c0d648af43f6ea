"""What the service may answer, and what never comes out of it."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from help.eras import virtual_time
from help.seeded import SPACE, TESLA
from help.services import always, reaching
from quantinal_mcp.client.answers import error_from
from quantinal_mcp.errors import (
    InvalidResponse,
    NotFound,
    QuantinalError,
)
from quantinal_mcp.models.text import clean_text

SECRET = "qapi_5ecret-token"

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
