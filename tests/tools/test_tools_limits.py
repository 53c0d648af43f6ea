"""What a call may carry: each documented limit, checked before anything is sent, and what is at the limit accepted."""

from __future__ import annotations

from typing import Any

import pytest

from help.callers import Caller
from help.eras import both_eras
from help.seeded import AGENT, CALLS, DAILY, TESLA, Json
from quantinal_mcp.sandbox import Sandbox

pytestmark = pytest.mark.anyio

BAD_IDS: tuple[Any, ...] = (
    "",
    "x",
    "trk_",
    "spc_",
    "run_",
    "trk_a/b",
    "trk_..",
    "../trk_a",
    "trk_%2e%2e",
    "trk_a%2Fb",
    "trk_a\x00",
    "trk_a\n",
    " trk_a",
    "trk_é",
    "trk_" + "x" * 65,
    "TRK_a",
    "run_a?x=1",
    "spc_a#b",
    5,
    ["trk_a"],
    {"id": "trk_a"},
    True,
)
BAD_SOURCE_IDS: tuple[Any, ...] = ("", ".", "..", "a/b", "a%2fb", "a\x00", "a b?", "é", "x" * 65 + "?", "a\n", 5)


@both_eras
async def test_an_id_that_is_none_is_refused(call: Caller) -> None:
    for tool, given in CALLS.items():
        for name in given.keys() & {"space_id", "tracker_id", "run_id"}:
            for bad in BAD_IDS:
                assert name in await call.refused(tool, **{**given, name: bad})


async def test_a_source_id_that_is_none_is_refused(call: Caller) -> None:
    for tool in ("get_vault_source", "update_vault_source", "delete_vault_source"):
        for bad in BAD_SOURCE_IDS:
            assert "source_id" in await call.refused(tool, **{**CALLS[tool], "source_id": bad})


PAGED = ("list_spaces", "list_trackers", "list_runs", "list_vault_sources", "list_skills")
DETAILED = ("list_trackers", "list_runs")
NO_CONFIGS: tuple[Any, ...] = ({}, [], "text", 5, "{", "[]")
NO_NOTIFICATIONS: tuple[Any, ...] = (
    {"score_threshold": 101},
    {"score_threshold": -1},
    {"email_enabled": "maybe"},
    {"sms": True},
    [],
)
NO_ROWS: tuple[Any, ...] = ([], [5], ["a"], [{"a": 1}, None], "text", 5, [{"a": 1}] * 1001, "[1]")
LIMITS: list[tuple[str, Json]] = [
    *((tool, {"page": bad}) for tool in PAGED for bad in (0, -1, 1.5, "x", [1])),
    *((tool, {"page_size": bad}) for tool in PAGED for bad in (0, 101, "many")),
    *((tool, {"detail": bad}) for tool in DETAILED for bad in ("all", 5)),
    *(("create_tracker", {"name": bad}) for bad in ("", "x" * 51, 5)),
    *(("create_tracker", {"description": bad}) for bad in ("", "x" * 501)),
    *(("create_tracker", {"run_mode": bad}) for bad in ("hourly", 1)),
    *(("create_tracker", {"vault_ttl_days": bad}) for bad in (0, 366, 1.5, "long")),
    *(("create_tracker", {"shared_vault_tracker_id": bad}) for bad in ("vlt_x", "trk_a/b")),
    *(("create_tracker", {"agent_config": bad}) for bad in NO_CONFIGS),
    *(
        ("create_tracker", {"agent_config": {**AGENT, name: bad}})
        for name, values in {
            "instruction": ("", "x" * 1001, 5),
            "score_meaning": ("", 5),
            "skills": ([5], {"web": 1}),
            "reasoning_mode": ("trance", 1),
            "linked_trackers": (["x"], ["trk_a"] * 11, ["../trk_a"]),
            "colour": ("red",),
        }.items()
        for bad in values
    ),
    *(
        ("create_tracker", {"run_mode": "scheduled", "schedule": {**DAILY, name: bad}})
        for name, values in {
            "interval_minutes": (0, 44641, 1.5, "daily"),
            "start_time": ("", "tomorrow", "2030-01-01T09:00:00", "2030-01-01", 5, "9999-12-31T23:59:59-12:00"),
            "end_time": ("2029-01-01T00:00:00Z", "2030-01-01T09:00:00Z", "2030-01-01T10:00:00+02:00", "never"),
            "colour": ("red",),
        }.items()
        for bad in values
    ),
    ("create_tracker", {"run_mode": "scheduled"}),
    ("create_tracker", {"run_mode": "scheduled", "schedule": {"interval_minutes": 5}}),
    ("create_tracker", {"run_mode": "scheduled", "schedule": {"start_time": DAILY["start_time"]}}),
    *(("create_tracker", {"notification_config": bad}) for bad in NO_NOTIFICATIONS),
    ("update_tracker", {"name": "x" * 51}),
    ("update_tracker", {"description": "x" * 501}),
    ("update_tracker", {"agent_config": {"instruction": "x" * 1001}}),
    ("update_tracker", {"agent_config": {"skill": ["web"]}}),
    ("update_tracker", {"run_mode": "never"}),
    *(("update_tracker", {"clear_fields": bad}) for bad in (["name"], "everything", [5], {"schedule": True})),
    ("update_tracker", {"clear_fields": ["shared_vault_tracker_id"], "shared_vault_tracker_id": TESLA}),
    *(("trigger_run", {"wait_seconds": bad}) for bad in (-1, 301, "long")),
    *(("trigger_run", {"max_quants": bad}) for bad in (-0.1, "free", "inf", "Infinity", "nan", True)),
    *(("trigger_run", {"context": bad}) for bad in ([1], "[]", '{"a": 1', 5)),
    ("trigger_run", {"sync": "perhaps"}),
    *(("wait_for_run", {"wait_seconds": bad}) for bad in (-1, 301)),
    *(("list_runs", {"status": bad}) for bad in ("done", 5)),
    ("list_runs", {"notification_status": "sent"}),
    *(("list_runs", {name: bad}) for name in ("min_score", "max_score") for bad in (-1, 101, "high")),
    ("list_runs", {"min_score": 60, "max_score": 40}),
    *(
        (tool, {name: bad})
        for tool in ("list_runs", "get_score_history", "compare_scores", "get_spending")
        for name in ("start_date", "end_date")
        for bad in ("2026-02-30", "2026-01-01T00:00:00", "yesterday", 1700000000, "0001-01-01T00:00:00+14:00")
    ),
    *(
        (tool, {"start_date": "2026-02-01T00:00:00Z", "end_date": "2026-02-01T00:30:00+01:00"})
        for tool in ("list_runs", "get_score_history", "compare_scores", "get_spending")
    ),
    *(("get_score_history", {"limit": bad}) for bad in (0, 501)),
    *(("update_run_comment", {"comment": bad}) for bad in ("x" * 1001, 5)),
    ("estimate_run_cost", {"reasoning_mode": "trance"}),
    *(("list_recent_vault_data", {"limit": bad}) for bad in (0, 101)),
    *(("list_recent_vault_data", {"content_types": bad}) for bad in (["pdf"], "pdf", [5])),
    *(("list_recent_vault_data", {"since_hours": bad}) for bad in (0, -1, 1.5)),
    *((tool, {"source_name": "x" * 201}) for tool in ("upload_vault_file", "upload_vault_json")),
    ("upload_vault_json", {"source_name": ""}),
    *(("upload_vault_json", {"data": bad}) for bad in NO_ROWS),
    ("upload_vault_json", {"data": {"a": "x" * (10 * 1024 * 1024)}}),
    ("upload_vault_json", {"description": "x" * 501}),
    *(("upload_vault_file", {"filename": bad}) for bad in ("", "x" * 256, "a.exe", "notes", "a.txt.zip", ".txt/")),
    *(
        ("upload_vault_file", {"filename": bad})
        for bad in ("a/b.txt", "..\\b.txt", "a\n.txt", "a\x00.txt", "a\u202e.txt")
    ),
    ("upload_vault_file", {"filename": "x" * 240 + ".txt"}),
    ("upload_vault_file", {"content": ""}),
    ("upload_vault_file", {"content_base64": "aGk="}),
    ("upload_vault_file", {"path": "a.txt"}),
    *(("update_vault_source", {"name": bad}) for bad in ("", "x" * 201)),
    ("update_vault_source", {"description": "x" * 501}),
    ("list_skills", {"status": "beta"}),
    ("list_skills", {"category": "x" * 101}),
    *(("compare_scores", {"tracker_ids": bad}) for bad in ([TESLA], [TESLA, TESLA], [TESLA] * 11, [], 5, [5, 6])),
    ("get_overview", {"name_contains": "x" * 101}),
]


@pytest.mark.parametrize("tool", sorted({tool for tool, _ in LIMITS}))
async def test_a_value_beyond_its_documented_limits_is_refused_and_nothing_is_sent(call: Caller, tool: str) -> None:
    for changes in [changes for name, changes in LIMITS if name == tool]:
        text = await call.refused(tool, **{**CALLS[tool], **changes})
        assert "othing was sent" in text


@pytest.mark.parametrize(
    "changes",
    [
        {"schedule": {"interval_minutes": 1440}},
        {"schedule": {**DAILY, "end_time": "2029-01-01T00:00:00Z"}},
        {"run_mode": "scheduled"},
        {"run_mode": "manual", "schedule": DAILY},
        {"clear_fields": ["schedule.end_time"]},
    ],
)
async def test_a_schedule_that_could_not_be_is_refused_and_nothing_is_written(
    call: Caller, sandbox: Sandbox, changes: Json
) -> None:
    await call.fails("update_tracker", "invalid_request", tracker_id=TESLA, **changes)
    assert sandbox.count("PATCH", "/") == 0


EDGES: list[tuple[str, Json]] = [
    ("list_runs", {"page_size": 100, "min_score": 0, "max_score": 100}),
    ("list_runs", {"min_score": 50, "max_score": 50}),
    ("create_tracker", {"name": "x" * 50, "description": "x" * 500, "vault_ttl_days": 365}),
    ("create_tracker", {"name": "é" * 50, "agent_config": {**AGENT, "instruction": "ü" * 1000}}),
    ("create_tracker", {"run_mode": "scheduled", "schedule": {**DAILY, "interval_minutes": 44640}}),
    ("create_tracker", {"notification_config": {"score_threshold": 0}}),
    ("update_run_comment", {"comment": "x" * 1000}),
    ("update_vault_source", {"name": "x" * 200, "description": "x" * 500}),
    ("get_score_history", {"limit": 500}),
    ("list_recent_vault_data", {"limit": 100, "since_hours": 1}),
    ("upload_vault_json", {"data": [{"n": 1}] * 1000, "source_name": "x" * 200}),
    ("wait_for_run", {"wait_seconds": 0}),
    ("wait_for_run", {"wait_seconds": 300}),
    ("trigger_run", {"max_quants": 5, "wait_seconds": 300}),
]


@pytest.mark.parametrize(("tool", "changes"), EDGES)
async def test_a_value_at_its_documented_limit_is_accepted(call: Caller, tool: str, changes: Json) -> None:
    assert await call(tool, **{**CALLS[tool], **changes})
