"""What is told of a message without parsing it agrees with what a parser says."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantinal_mcp.models.outline import Outline, outline

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["id", "method"]), inner),
    max_leaves=30,
)
TEXT = st.text(st.characters(codec="utf-8"), max_size=40)
MANY = 1_000_000


@pytest.mark.patient
@given(params=JSON, request_id=st.integers(-(10**17), 10**17) | TEXT, method=TEXT, ascii_only=st.booleans())
@pytest.mark.parametrize("order", [("jsonrpc", "id", "method", "params"), ("params", "method", "jsonrpc", "id")])
def test_id_and_method_of_any_message_are_found(
    order: tuple[str, ...], params: Any, request_id: int | str, method: str, ascii_only: bool
) -> None:
    message = {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}
    text = json.dumps({name: message[name] for name in order}, ensure_ascii=ascii_only)
    found = outline(text.encode(), MANY)
    assert (found.id, found.method) == (request_id, method)


@pytest.mark.patient
@given(params=JSON)
def test_at_least_the_containers_and_separated_values_are_counted(params: Any) -> None:
    def size(value: Any) -> int:
        inner: Any = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
        return 1 + sum(size(item) for item in inner)

    counted = outline(json.dumps(params).encode(), MANY).values
    assert size(params) // 2 <= counted <= 2 * size(params)


@given(st.binary() | st.text('\\"{}[],:id' + "method 0", max_size=200).map(str.encode))
def test_any_bytes_have_an_outline(text: bytes) -> None:
    outline(text, MANY)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", Outline()),
        ("null", Outline()),
        ('{"id": "\\ud800", "method": "ping"}', Outline("?", "ping", 2)),
        ('{"id": 1.5}', Outline(None, None, 1)),
        ('{"id": true}', Outline(None, None, 1)),
        ('{"id": [1]}', Outline(None, None, 2)),
        ('{"x": {"id": 2, "method": "inner"}}', Outline(None, None, 3)),
        ('[{"id": 2}]', Outline(None, None, 2)),
        ('{"method": "id", "id": 3}', Outline(3, "id", 2)),
        ('{"x": "\\\\\\"{", "id": "a\\"b"}', Outline('a"b', None, 2)),
        ('{"id": 5, "params": ' + "[" * 100_000, Outline(5, None, 100_002)),
        ('{"id": ' + "1" * 100, Outline(None, None, 1)),
    ],
)
def test_outlines_of_odd_texts(text: str, found: Outline) -> None:
    assert outline(text.encode(), MANY) == found


@pytest.mark.parametrize("piece", ["[],", "0,", '"",', '"', "{"])
def test_counting_ends_soon_after_the_most_there_may_be(piece: str) -> None:
    assert 1000 < outline(b"[" + piece.encode() * 10**6, 1000).values < 100_000


@pytest.mark.parametrize("piece", ['\\"', "\\", "\\\\", "a", '\\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'])
@pytest.mark.parametrize("offset", range(3))
def test_long_strings_end_where_they_end(piece: str, offset: int) -> None:
    content = "x" * offset + piece * (200_000 // len(piece) // 2 * 2)
    assert outline(b'{"x": "' + content.encode() + b'", "id": 9}', MANY).id == 9
