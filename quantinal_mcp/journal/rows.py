"""How an intent lies in a table, and the sum that counts against a budget."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final

from quantinal_mcp.journal.records import Allowance, Intent, Snapshot

if TYPE_CHECKING:
    import sqlite3

_COLUMNS: Final = tuple(field.name for field in fields(Intent))
_INSERT: Final = f"INSERT INTO intents ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608

_COMMITTED: Final = """
    SELECT coalesce(sum(CASE
        WHEN begun_at >= :since THEN
            CASE WHEN settled_at IS NOT NULL AND settled_at < :until THEN charged
                 ELSE max(reserved, coalesce(charged, 0)) END
        ELSE max(0, charged - reserved) END), 0)
    FROM intents
    WHERE account = :account AND state != 'refused'
      AND ((begun_at >= :since AND begun_at < :until) OR (settled_at >= :since AND settled_at < :until))
"""
"""What was begun in the period counts with its charge, or what it reserved until that is known; of what was begun
before it and settled in it, what was charged beyond the reservation."""


def insert(db: sqlite3.Connection, intent: Intent) -> None:
    """Write a new intent down."""
    values = {name: getattr(intent, name) for name in _COLUMNS}
    db.execute(_INSERT, list({**values, "before": intent.before.packed}.values()))


def intent_of(row: sqlite3.Row) -> Intent:
    """Return the intent that a row holds."""
    kept: dict[str, Any] = {name: row[name] for name in _COLUMNS}
    kept["sync"] = bool(row["sync"])
    kept["before"] = Snapshot(row["before"])
    return Intent(**kept)


def committed(db: sqlite3.Connection, account: str, allowance: Allowance) -> float:
    """Return what counts against an allowance."""
    period = {"account": account, "since": allowance.since, "until": allowance.until}
    return float(db.execute(_COMMITTED, period).fetchone()[0])
