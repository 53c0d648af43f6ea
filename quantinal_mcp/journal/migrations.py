"""The journal's tables, by number: each step takes a journal from the version before it to its own."""

from __future__ import annotations

import re
from typing import Final

STEPS: tuple[str, ...] = (
    """
    CREATE TABLE intents (
        intent_id TEXT PRIMARY KEY,
        account TEXT NOT NULL,
        tracker_id TEXT NOT NULL,
        sync INTEGER NOT NULL,
        begun_at REAL NOT NULL,
        before BLOB NOT NULL,
        reserved REAL NOT NULL,
        sender TEXT NOT NULL,
        owner TEXT,
        estimated REAL,
        at_least REAL,
        typical_seconds REAL,
        state TEXT NOT NULL,
        run_id TEXT,
        match TEXT NOT NULL,
        unknown_at REAL,
        answered_at REAL,
        charged REAL,
        settled_at REAL
    );
    CREATE UNIQUE INDEX intents_by_run ON intents (account, run_id) WHERE run_id IS NOT NULL;
    CREATE INDEX intents_by_tracker ON intents (account, tracker_id, begun_at);
    CREATE INDEX intents_by_account ON intents (account, begun_at);
    CREATE INDEX intents_settled ON intents (account, settled_at) WHERE settled_at IS NOT NULL;
    CREATE INDEX intents_unsettled ON intents (account) WHERE settled_at IS NULL AND run_id IS NOT NULL;
    CREATE TABLE answers (answer TEXT PRIMARY KEY, spent_at REAL NOT NULL);
    """,
)

VERSION = len(STEPS)

_TYPES: Final = {"REAL": "DOUBLE PRECISION", "BLOB": "BYTEA"}
_ONLY_POSTGRES: Final = {
    1: """
    CREATE TABLE workers (worker TEXT PRIMARY KEY, expires_at TIMESTAMPTZ NOT NULL);
    CREATE TABLE locks (name TEXT PRIMARY KEY, holder TEXT NOT NULL);
    CREATE TABLE sealing_keys (place INTEGER PRIMARY KEY CHECK (place = 1), sealing_key BYTEA NOT NULL);
    """,
}
"""What SQLite's journal keeps beside its file, by the version that has it first."""


def postgres_steps(version: int) -> str:
    """Return the statements that take a journal in PostgreSQL from that version to this one."""
    steps = [
        re.sub("|".join(_TYPES), lambda word: _TYPES[word[0]], step) + _ONLY_POSTGRES.get(number, "")
        for number, step in enumerate(STEPS, start=1)
        if number > version
    ]
    return "".join(steps)
