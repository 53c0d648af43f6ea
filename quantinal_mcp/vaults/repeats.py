"""Whether what is uploaded is already there: told from the vault's newest data, or from what this process uploaded.

An upload appends, and the service does not look for doubles. Decisions without I/O; of content nothing is kept but
digests, in memory.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections import Counter, OrderedDict
from collections.abc import Sequence
from typing import Any, cast

from quantinal_mcp.models.vault import VaultItem

NEWEST = 100
"""As many items as the service shows at once."""

_MOST_REMEMBERED = 1000


class Uploaded:
    """What this process has uploaded for one account: digests of content, the latest thousand."""

    def __init__(self) -> None:
        self._digests: OrderedDict[bytes, None] = OrderedDict()

    def is_known(self, vault: str, source_name: str, content: bytes) -> bool:
        """Whether the same content was put under the same name into the same vault before."""
        return _digest(vault, source_name, content) in self._digests

    def remember(self, vault: str, source_name: str, content: bytes) -> None:
        """Take note of an upload that arrived."""
        self._digests[_digest(vault, source_name, content)] = None
        if len(self._digests) > _MOST_REMEMBERED:
            self._digests.popitem(last=False)


def _digest(vault: str, source_name: str, content: bytes) -> bytes:
    return hashlib.sha256(b"\0".join((vault.encode(), source_name.encode(), content))).digest()


def rows_of(filename: str, content: bytes) -> list[Any] | str:
    """Return what an upload says, as far as it can be told: a CSV's rows, or a text."""
    import csv  # noqa: PLC0415 - only an upload pays for it

    try:
        text = content.decode("utf-8-sig")
        if filename.lower().endswith(".csv"):
            return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error):
        return []
    return [] if filename.lower().endswith(".pdf") else text


def are_there(uploaded: list[Any] | str, newest: Sequence[VaultItem], source_id: str) -> bool:
    """Whether the newest items, newest first, show that a source holds all of this already.

    Rows are looked for one by one, as many as can be shown; a text as a whole, however it was cut.
    """
    there = [item.get("content") or "" for item in newest if item.get("source_id") == source_id]
    if isinstance(uploaded, str):
        text = _one_line(uploaded)
        return bool(text) and text in _one_line(" ".join(reversed(there)))
    shown = Counter(_row(content) for content in there) & Counter(_row(row) for row in uploaded)
    return bool(uploaded) and sum(shown.values()) >= min(len(uploaded), NEWEST)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _row(value: Any) -> str:
    """A row as it can be compared: its fields as text, in any order."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return value
    if not isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    fields = cast("dict[str, Any]", value).items()
    said = {name: item if isinstance(item, str) else json.dumps(item, ensure_ascii=False) for name, item in fields}
    return json.dumps(said, sort_keys=True, ensure_ascii=False)
