"""The sandbox's seeded data: tokens, ids, and a call of each tool that succeeds on it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]

SERVICES = ("documented", "v0.3")
"""What the sandbox plays."""

TOKEN = "qapi_sandbox"
START = datetime(2026, 3, 1, 12, tzinfo=UTC)
SPACE = "spc_f30e60c1-75fd-47f7-967e-29afc19a3ea7"
TESLA = "trk_a1b2c3d4-5e6f-4a7b-8c9d-0e1f2a3b4c5d"
BARE = "a1b2c3d4-5e6f-4a7b-8c9d-0e1f2a3b4c5d"
"""The UUID of `TESLA` alone."""
SEMIS = "trk_e4f5a6b7-1c2d-4e3f-a4b5-c6d7e8f9a0b1"
"""Runs by itself, daily."""
CRYPTO = "trk_b7a6c5d4-3e2f-41a0-b9c8-d7e6f5a4b3c2"
"""Has a threshold, scores that stand out, and factors."""
PORTFOLIO = "trk_d2e3f4a5-6b7c-48d9-e0f1-2a3b4c5d6e7f"
"""Advanced reasoning, three linked trackers: dear enough that the user is asked."""
UNUSED = "trk_a0b1c2d3-4e5f-46a7-b8c9-d0e1f2a3b4c5"
"""Has no runs and no sources, so that an estimate needs prices."""
RUN = "run_9f8e7d6c-5a4b-4c3d-2e1f-0a9b8c7d6e5f"
SOURCE = "b4c5d6e7-8f9a-4b0c-1d2e-3f4a5b6c7d8e"

ANN = "qapi_ann-0123456789"
BEN = "qapi_ben-9876543210"
BENS_TESLA = "trk_6199b8b1-ab16-41c3-aaef-2e4915923893"
"""Where a sandbox has the tokens of Ann and Ben, in that order, these are Ben's."""
BENS_UNUSED = "trk_92958ad6-bcce-4455-adad-bb3b1abe3d42"

AGENT: Json = {"instruction": "Read the news.", "score_meaning": "Mood", "skills": ["web"]}
DAILY: Json = {"start_time": "2030-01-01T09:00:00Z", "interval_minutes": 1440}
NEW: Json = {
    "space_id": SPACE,
    "name": "New",
    "description": "A new one",
    "run_mode": "manual",
    "agent_config": AGENT,
}
"""The arguments of a create."""

CALLS: Mapping[str, Json] = {
    "list_spaces": {},
    "get_space": {"space_id": SPACE},
    "get_overview": {},
    "create_tracker": NEW,
    "list_trackers": {"space_id": SPACE},
    "get_tracker": {"tracker_id": TESLA},
    "update_tracker": {"tracker_id": TESLA, "agent_config": {"score_meaning": "Mood"}},
    "delete_tracker": {"tracker_id": TESLA, "confirm_name": "Tesla Sentiment"},
    "trigger_run": {"tracker_id": TESLA},
    "list_runs": {"tracker_id": TESLA},
    "get_run": {"tracker_id": TESLA, "run_id": RUN},
    "wait_for_run": {"tracker_id": TESLA, "run_id": RUN},
    "update_run_comment": {"tracker_id": TESLA, "run_id": RUN, "comment": "good"},
    "delete_run": {"tracker_id": TESLA, "run_id": RUN, "confirm": True},
    "estimate_run_cost": {"tracker_id": TESLA},
    "get_score_history": {"tracker_id": TESLA},
    "compare_scores": {"tracker_ids": [TESLA, SEMIS]},
    "get_spending": {},
    "get_vault": {"tracker_id": TESLA},
    "list_recent_vault_data": {"tracker_id": TESLA},
    "upload_vault_file": {"tracker_id": TESLA, "filename": "notes.txt", "content": "one"},
    "upload_vault_json": {"tracker_id": TESLA, "source_name": "rows", "data": {"a": 1}},
    "list_vault_sources": {"tracker_id": TESLA},
    "get_vault_source": {"tracker_id": TESLA, "source_id": SOURCE},
    "update_vault_source": {"tracker_id": TESLA, "source_id": SOURCE, "name": "earnings"},
    "delete_vault_source": {"tracker_id": TESLA, "source_id": SOURCE, "confirm_name": "earnings-data"},
    "list_skills": {},
}
"""A call of each tool that succeeds on a fresh sandbox with a client that cannot ask."""


def steer(seconds: float, *, fail: bool = False) -> Json:
    """The context of a run that takes that long in the sandbox, and then completes or fails."""
    return {"sandbox": {"seconds": seconds, "fail": fail}}


QUICK = steer(1)


def lines_of(**changes: Any) -> Json:
    """The arguments of a create, changed."""
    return {**NEW, **changes}


def tracker_body(**changes: Any) -> Json:
    """The body of the service's create, changed."""
    config = {"instruction": "Read.", "score_meaning": "Mood", "skills": ["web"]}
    body: Json = {"name": "New", "description": "New one", "run_mode": "manual", "agent_config": config}
    return body | changes
