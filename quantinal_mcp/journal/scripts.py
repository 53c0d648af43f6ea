"""Transactions as scripts: generators that yield statements and are sent what these give.

So one engine can play them in a thread and another on the event loop. The SQL is what SQLite (from 3.24 on) and
PostgreSQL share.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

Result = TypeVar("Result")
Value = str | float | bytes | Sequence[str] | None
Row = Mapping[str, Any]


class Statement(NamedTuple):
    """One statement with the values of its question marks; it gives its rows, or how many rows it changed."""

    sql: str
    values: Sequence[Value]
    changes: bool


Script = Generator[Statement, Any, Result]


def select(sql: str, *values: Value) -> Script[Sequence[Row]]:
    """Give the rows that a query finds."""
    return (yield Statement(sql, values, changes=False))


def change(sql: str, *values: Value) -> Script[int]:
    """Give the number of rows that a statement changed."""
    return (yield Statement(sql, values, changes=True))


class Concern(NamedTuple):
    """What a transaction is about: the account, or the intent whose account it is; while it lasts it has it alone."""

    account: str | None = None
    intent_id: str | None = None
