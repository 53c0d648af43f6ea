"""How an intent lies in a table, and the sum that counts against a budget."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final

from quantinal_mcp.journal.records import Intent, Snapshot

_COLUMNS: Final = tuple(field.name for field in fields(Intent))
INSERT: Final = f"INSERT INTO intents ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608

COMMITTED: Final = """
    SELECT coalesce(sum(CASE
        WHEN begun_at >= ? THEN
            CASE WHEN settled_at IS NOT NULL AND settled_at < ? THEN charged
                 WHEN charged > reserved THEN charged
                 ELSE reserved END
        WHEN charged > reserved THEN charged - reserved
        ELSE 0 END), 0) AS counted
    FROM intents
    WHERE account = ? AND state != 'refused'
      AND ((begun_at >= ? AND begun_at < ?) OR (settled_at >= ? AND settled_at < ?))
"""
"""What was begun in the period counts with its charge, or what it reserved until that is known; of what was begun
before it and settled in it, what was charged beyond the reservation. Asks for: since, until, account, and twice since
and until."""


def values_of(intent: Intent) -> list[Any]:
    """Return what `INSERT` asks for."""
    values = {name: getattr(intent, name) for name in _COLUMNS}
    return list({**values, "sync": int(intent.sync), "before": intent.before.packed}.values())


def intent_of(row: Mapping[str, Any]) -> Intent:
    """Return the intent that a row holds."""
    kept: dict[str, Any] = {name: row[name] for name in _COLUMNS}
    kept["sync"] = bool(row["sync"])
    kept["before"] = Snapshot(bytes(row["before"]))
    return Intent(**kept)
