"""What stands for a character on a terminal or in a file that cannot show it, as with Windows' older code pages."""

from __future__ import annotations

import codecs
import io
import unicodedata
from typing import TextIO

_ERRORS = "quantinal-lookalikes"
_ASCII = str.maketrans(
    {
        "→": ">",
        "…": "...",
        "·": "-",
        "•": "*",
        "×": "x",
        "−": "-",
        "–": "-",
        "—": "-",
        "‘": "'",
        "’": "'",
        "“": "'",
        "”": "'",
        "─": "-",
        "━": "-",
        "│": "|",
        "┤": "|",
        "├": "|",
        **dict.fromkeys("╭╮╰╯┌┐└┘┼", "+"),
        **dict(zip("▁▂▃▄▅▆▇█", "_.-=+*##", strict=True)),
    }
)


def lookalike(text: str) -> str:
    """Return ASCII that reads much like `text`, with a question mark for what nothing in ASCII is like."""
    plain = unicodedata.normalize("NFKD", text.translate(_ASCII))
    letters = "".join(one for one in plain if not unicodedata.combining(one))
    return letters.encode("ascii", "replace").decode()


def use_for(*streams: TextIO) -> None:
    """Let these streams write lookalikes where they would fail, or write what nobody can read."""
    codecs.register_error(_ERRORS, _in_place_of)
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_ERRORS)


def _in_place_of(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return lookalike(error.object[error.start : error.end]), error.end
