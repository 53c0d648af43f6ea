"""What a JSON-RPC message is about, told from its text without parsing it.

A parser holds the event loop for as long as it takes, which a text made for it stretches to seconds, and it gives up
on texts that are beyond its own limits. This reads both, in pieces between which other threads may run, and counts no
further than it is asked to.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

_PIECE = 1 << 16
_INSIDE = re.compile(rb'(?:[^"\\]+|\\.)*+', re.DOTALL)
_VALUE = re.compile(rb'\s{0,16}:\s{0,16}("(?:[^"\\]|\\.){0,1024}"|-?\d{1,18}(?![\d.eE]))')


@dataclass(frozen=True, slots=True)
class Outline:
    """A message's `id` and `method`, where it has them, and about how many values it holds, however deep."""

    id: int | str | None = None
    method: str | None = None
    values: int = 0


def outline(text: bytes, most_values: int) -> Outline:
    """Return what `text` is about; counting ends soon after `most_values`. Any bytes will do."""
    found: dict[bytes, int | str] = {}
    values = strings = depth = at = 0
    while at < len(text) and values <= most_values:
        quote = text.find(b'"', at, at + _PIECE)
        between = text[at : quote if quote >= 0 else at + _PIECE]
        opened = between.count(b"{") + between.count(b"[")
        values += between.count(b",") + opened
        depth += opened - between.count(b"}") - between.count(b"]")
        at += len(between)
        if quote < 0:
            continue
        end = _end_of_string(text, quote + 1)
        name = text[quote + 1 : end] if depth == 1 and end - quote < 8 else b""
        if name in {b"id", b"method"} and (match := _VALUE.match(text, end + 1)):
            found[name] = _decoded(match[1])
        at = end + 1
        # An object's values have names too; a text in which strings are anything else is no JSON.
        strings += 1
        values = max(values, strings // 2)
    method = found.get(b"method")
    return Outline(found.get(b"id"), method if isinstance(method, str) else None, values)


def _end_of_string(text: bytes, start: int) -> int:
    """Return where the quote is that ends the string whose content begins at `start`, or the text's end."""
    at = start
    while (quote := text.find(b'"', at)) >= 0:
        if _backslashes(text, at, quote) % 2 == 0:
            return quote
        # Where one quote is escaped, more will be.
        at = _INSIDE.match(text, quote + 1, quote + 1 + _PIECE).end()  # pyright: ignore[reportOptionalMemberAccess] - it matches anything
    return len(text)


def _backslashes(text: bytes, start: int, end: int) -> int:
    """Return how many backslashes stand before `end`."""
    count = 0
    while start < end and text[end - 1] == 0x5C:
        piece = text[max(start, end - _PIECE) : end]
        run = len(piece) - len(piece.rstrip(b"\\"))
        count += run
        end -= run
    return count


def _decoded(value: bytes) -> int | str:
    decoded = json.loads(value.decode(errors="replace"), strict=False)
    return decoded if isinstance(decoded, int) else str(decoded).encode(errors="replace").decode()
