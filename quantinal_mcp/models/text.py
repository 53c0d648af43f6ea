"""What text from the service may contain by the time a model or its user reads it, and only then.

What is sent back to the service is what the service said. But insights, vault items and names are other people's
words. Control characters, bidirectional overrides and invisible characters have no use to a reader, and are how
instructions are hidden from a person's eye.
"""

from __future__ import annotations

import re
from itertools import takewhile
from typing import Any, cast

from pydantic_core import to_json

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


_BLANK = re.compile(r"[\s" + _UNSEEN.pattern[1:] + "*+")

_SINGLE = (
    "'`\u00b4\u02b9\u02bb-\u02bd\u02c8\u055a\u07f4\u07f5\u2018-\u201b\u2032\u2035\u2039\u203a\u275b\u275c\u275f\u276e\u276f"
    "\uff07\uff40"
)
_DOUBLE = (
    '"\u00ab\u00bb\u02ba\u02dd\u02ee\u02f6\u059e\u05f4\u201c-\u201f\u2033\u2034\u2036\u2037\u2057\u275d\u275e\u2760'
    "\u2e42\u3003\u300c-\u300f\u301d-\u301f\ufe41-\ufe44\uff02\uff62\uff63\U0001f676-\U0001f678"
)
_QUOTES = re.compile(f"[{_DOUBLE}{_SINGLE}]+")
"""Two single ones look like a double one."""
_ANY_TOKEN = re.compile(r"qapi_\S{8,}")
_TELLING = 12
"""So many first characters of a token tell that it is one, though the rest was cut off."""

_LONGEST_NAME = 100
_PIECE = 1 << 16
_ESCAPED = re.compile(rb"\\[bfru]")
_SEEN = bytes(range(0x20, 0x7F))


def clean_text(text: str) -> str:
    """Return `text` without characters that nobody can see."""
    if text.isascii() and text.isprintable():
        return text
    # In pieces, between which other threads may run.
    return "".join(_UNSEEN.sub("", text[place : place + _PIECE]) for place in range(0, len(text), _PIECE))


def is_blank(text: str) -> bool:
    """Whether there is nothing to see in `text`."""
    return _BLANK.fullmatch(text) is not None


def readable(value: Any, secret: str | None = None) -> Any:
    """Return decoded JSON with every text cleaned and without `secret`, keys included."""
    beginning = secret and secret[:_TELLING]

    def text(dirty: str) -> str:
        clean = clean_text(dirty)
        return without_secret(clean, secret) if beginning and beginning in clean else clean

    def read(part: Any) -> Any:
        if isinstance(part, str):
            return text(part)
        if isinstance(part, dict):
            found: dict[str, Any] = {}
            for name, item in cast("dict[str, Any]", part).items():
                seen = text(name)
                # A name that only looks like another one does not take its place.
                if seen == name or seen not in part:
                    found[seen] = read(item)
            return found
        if isinstance(part, list):
            return [read(item) for item in cast("list[Any]", part)]
        return part

    return read(value)


def is_readable(written: bytes, secret: str | None = None) -> bool:
    """Whether `readable` would leave compact JSON as it is, as far as a look at its bytes can tell.

    False is not sure: it takes an escaped backslash before a letter for an escape.
    """
    if secret and to_json(secret[:_TELLING])[1:-1] in written:
        return False
    # What JSON escapes with a letter is a control, but for tabs and newlines; all others stand there as they are.
    return not _ESCAPED.search(written) and not _UNSEEN.search(written.translate(None, _SEEN).decode())


def without_secret(text: str, secret: str | None) -> str:
    """Return `text` with `[token]` wherever it holds `secret`, or so much of its beginning as tells what it is.

    It is to be clean already: a character that nobody can see would hide the secret from this, and not from a reader.
    """
    if not secret or secret[:_TELLING] not in text:
        return text
    kept: list[str] = []
    place = 0
    while (found := text.find(secret[:_TELLING], place)) >= 0:
        kept += text[place:found], "[token]"
        alike = takewhile(lambda pair: pair[0] == pair[1], zip(text[found:], secret, strict=False))
        place = found + sum(1 for _ in alike)
    return "".join((*kept, text[place:]))


def on_one_line(name: str) -> str:
    """Return a name as a question or an error quotes it: clean, short, and without what could end the quotation.

    Line breaks and quotes of every kind would let it say what seems to stand outside of it.
    """
    flat = _ANY_TOKEN.sub("[token]", _QUOTES.sub("'", " ".join(clean_text(name).split())))
    return flat if len(flat) <= _LONGEST_NAME else flat[: _LONGEST_NAME - 1] + "…"
