"""What text from the service may contain by the time anybody reads it.

Insights, vault items and names are other people's words. Control characters, bidirectional overrides and
invisible characters have no use in them, and are how instructions are hidden from a person's eye.
"""

from __future__ import annotations

import re
from typing import Any

_UNSEEN = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # controls, but not tab and newline
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"  # soft hyphen, joiners, fillers, Mongolian selectors
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164"  # zero width, line separators, bidirectional, invisible
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"  # variation selectors, byte order mark, annotations
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"  # format controls, tags
    "\ud800-\udfff"  # lone surrogates
    "]"
)


def clean_text(text: str) -> str:
    """Return `text` without characters that nobody can see."""
    return text if text.isascii() and text.isprintable() else _UNSEEN.sub("", text)


def on_one_line(name: str) -> str:
    """Return a name as a question or an error quotes it: short, and without line breaks to hide behind."""
    flat = " ".join(name.split())
    return flat if len(flat) <= 100 else flat[:99] + "…"


def clean(value: Any) -> Any:
    """Return decoded JSON with every string cleaned, keys included."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict):
        return {clean_text(str(key)): clean(item) for key, item in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(value, list):
        return [clean(item) for item in value]  # pyright: ignore[reportUnknownVariableType]
    return value
