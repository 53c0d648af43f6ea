"""What may be read: the quick look at an answer's bytes agrees with the slow one at its values."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import to_json

from quantinal_mcp.models.text import is_readable, readable

SECRET = "qapi_0123456789"
HIDDEN = "".join(
    map(chr, [0, 8, 9, 10, 12, 13, 27, 34, 92, 127, 0x85, 0xAD, 0x200B, 0x202E, 0xFEFF, 0xE0041, 0xE9, 0x1F600])
)
texts: Any = st.text(st.sampled_from(f"abfnru.{HIDDEN}"), max_size=6) | st.just(SECRET)
values: Any = st.recursive(
    texts | st.none() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)


@given(values)
def test_what_looks_readable_is_left_as_it_is(value: object) -> None:
    if is_readable(to_json(value), SECRET):
        assert readable(value, SECRET) == value


@pytest.mark.parametrize("text", ["plain", "tab\t and\nline", "“Zürich” → 😀", "a \\ backslash", 'a "quote"'])
def test_everyday_text_looks_readable(text: str) -> None:
    assert is_readable(to_json({"insight": [text]}), SECRET)
