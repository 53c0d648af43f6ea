"""The journal's tables, by number: each step takes a journal from the version before it to its own."""

from __future__ import annotations

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
