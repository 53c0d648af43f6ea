"""What every tool answers when all goes well, and what each says of its resource."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qsl

import anyio
import pytest

from help.callers import Caller, Overheard, answering, connected, tracker_of
from help.eras import Mode, both_eras, virtual_time
from help.seeded import CALLS, NEW, PORTFOLIO, RUN, SEMIS, SOURCE, SPACE, TESLA, UNUSED, Json
from quantinal_mcp.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio


@both_eras
async def test_there_is_a_call_of_every_tool_in_this_suite(call: Caller) -> None:
    assert list(await call.tools()) == list(CALLS)


@both_eras
@pytest.mark.parametrize("tool", ["get_tracker", "trigger_run", "upload_vault_json", "update_tracker"])
async def test_the_trace_of_a_call_goes_along_to_the_service(sandbox: Sandbox, mode: Mode, tool: str) -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    way = Overheard(sandbox)
    async with connected(sandbox, mode=mode, way=way) as call:
        assert not (await call.client.call_tool(tool, CALLS[tool], meta={"traceparent": trace})).is_error
        assert set(way.traces) == {trace}
        way.traces.clear()
        assert not (await call.client.call_tool("list_spaces", {}, meta={"traceparent": f"{trace}\r\nX: 1"})).is_error
        assert way.traces == [None]


@both_eras
@pytest.mark.parametrize("tool", CALLS)
async def test_a_success_is_structured_and_the_same_as_compact_text(call: Caller, tool: str) -> None:
    assert await call(tool, **CALLS[tool])


async def test_a_created_tracker_is_what_was_asked_for(call: Caller, sandbox: Sandbox) -> None:
    made = await call(
        "create_tracker",
        **NEW,
        notification_config={"score_threshold": 20, "email_enabled": True},
        shared_vault_tracker_id=TESLA,
        vault_ttl_days=30,
    )
    kept = tracker_of(sandbox, made["tracker_id"])
    assert (kept.settings["name"], kept.space_id, kept.settings["vault_ttl_days"]) == ("New", SPACE, 30)
    assert kept.settings["shared_vault_tracker_id"] == TESLA
    assert kept.settings["notification_config"]["score_threshold"] == 20
    assert made["next_step"] == f"estimate_run_cost(tracker_id={made['tracker_id']})"


@virtual_time
async def test_waiting_ends_when_the_run_does(call: Caller, sandbox: Sandbox) -> None:
    run = sandbox.begin_run(TESLA)["run_id"]
    assert (await call("wait_for_run", tracker_id=TESLA, run_id=run))["status"] == "completed"


async def test_a_failed_run_is_a_success_that_says_why(call: Caller, sandbox: Sandbox) -> None:
    failed = next(run for run in sandbox.runs() if run["status"] == "failed")
    got = await call("get_run", tracker_id=failed["tracker_id"], run_id=failed["run_id"])
    assert "data provider" in got["error_message"]
    assert got["next_step"].startswith("read error_message; get_tracker(tracker_id=trk_")


async def test_a_comment_is_set_replaced_and_cleared(call: Caller, sandbox: Sandbox) -> None:
    where = {"tracker_id": TESLA, "run_id": RUN}
    set_to = await call("update_run_comment", **where, comment="good")
    assert set_to.keys() == {"run_id", "run_comment", "run_comment_updated_at"}
    assert (set_to["run_id"], set_to["run_comment"]) == (RUN, "good")
    assert "run_comment" not in await call("update_run_comment", **where, comment="")
    kept = tracker_of(sandbox).runs[RUN].comment
    assert kept["run_comment"] is None


async def test_filters_of_runs_reach_the_service(call: Caller, sandbox: Sandbox) -> None:
    filters: Json = {"status": "completed", "min_score": 40.0, "max_score": 60.0, "page_size": 100, "page": 1}
    listed = await call("list_runs", tracker_id=TESLA, **filters)
    assert dict(parse_qsl(sandbox.requests[-1].query)) == {name: str(value) for name, value in filters.items()}
    scores = [run["result"]["score"] for run in listed["data"]]
    assert scores
    assert all(40 <= score <= 60 for score in scores)


async def test_runs_can_be_filtered_by_what_was_notified(call: Caller) -> None:
    listed = await call("list_runs", tracker_id=TESLA, notification_status="success", detail="full")
    assert listed["data"]
    assert all(run["notification_delivery"]["email"]["status"] == "sent" for run in listed["data"])


async def test_vault_data_can_be_narrowed_by_kind_age_and_number(call: Caller) -> None:
    both = await call("list_recent_vault_data", tracker_id=TESLA, content_types=["text", "json", "text"], limit=100)
    texts = await call("list_recent_vault_data", tracker_id=TESLA, content_types=["text"])
    assert {item["content_type"] for item in both["results"]} == {"text", "json"}
    assert {item["content_type"] for item in texts["results"]} == {"text"}
    assert (await call("list_recent_vault_data", tracker_id=TESLA, since_hours=1))["results"] == []
    assert len((await call("list_recent_vault_data", tracker_id=TESLA, limit=2))["results"]) == 2


async def test_a_source_is_renamed_and_described(call: Caller) -> None:
    where = {"tracker_id": TESLA, "source_id": SOURCE}
    changed = await call("update_vault_source", **where, name="EPS", description="per share")
    assert (changed["name"], changed["description"]) == ("EPS", "per share")
    cleared = await call("update_vault_source", **where, description="")
    assert cleared.get("description", "") == ""


@pytest.mark.parametrize(
    ("tool", "gone"),
    [
        ("delete_run", r'the run of 20\S+ \S+ UTC \(score \d+\) of tracker "Tesla Sentiment" and its result'),
        ("delete_tracker", 'tracker "Tesla Sentiment" with its schedule, vault, runs and results'),
        ("delete_vault_source", r'vault source "earnings-data" and all its data \(3 rows\)'),
    ],
)
async def test_a_delete_names_what_is_gone(call: Caller, tool: str, gone: str) -> None:
    assert re.fullmatch(gone, (await call(tool, **CALLS[tool]))["gone"])


@pytest.mark.parametrize(
    ("tool", "gone"),
    [
        ("delete_run", "get_run"),
        ("delete_vault_source", "get_vault_source"),
        ("delete_tracker", "get_tracker"),
    ],
)
async def test_what_is_deleted_is_gone(call: Caller, tool: str, gone: str) -> None:
    assert (await call(tool, **CALLS[tool]))["success"] is True
    await call.fails(gone, "not_found", **CALLS[gone])


async def test_skills_are_filtered_and_paged(call: Caller) -> None:
    disabled = await call("list_skills", status="disabled")
    assert [skill["skill_id"] for skill in disabled["data"]] == ["patents"]
    finance = await call("list_skills", category="finance", page_size=1)
    assert finance["next_step"] == "page=2 of 2 continues"


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("list_spaces", {"page": 2, "page_size": 2}),
        ("list_trackers", {"space_id": SPACE, "page": 2, "page_size": 2}),
        ("list_runs", {"tracker_id": TESLA, "page": 2, "page_size": 2}),
        ("list_vault_sources", {"tracker_id": TESLA, "page": 2, "page_size": 2}),
        ("list_skills", {"page": 2, "page_size": 2}),
    ],
)
async def test_a_page_is_the_one_asked_for(call: Caller, tool: str, arguments: dict[str, Any]) -> None:
    listed = await call(tool, **arguments)
    assert (listed["pagination"]["page"], listed["pagination"]["page_size"]) == (2, 2)
    assert listed["data"]


async def test_a_summary_of_runs_leaves_out_what_is_rarely_needed(call: Caller) -> None:
    rare = {"config_snapshot", "notification_delivery", "tracker_id", "space_id"}
    summary = (await call("list_runs", tracker_id=TESLA))["data"]
    full = (await call("list_runs", tracker_id=TESLA, detail="full"))["data"]
    assert all(not rare & run.keys() for run in summary)
    assert all(rare <= run.keys() for run in full)
    assert all("baseline_score" not in run["result"] for run in summary)
    times = [run.keys() & {"completed_at", "started_at", "created_at"} for run in summary]
    assert times == [{"completed_at"}] * len(summary)
    assert summary[0]["completed_at"] == f"{full[0]['completed_at'][:16]}Z"
    assert [run["run_id"] for run in summary] == [run["run_id"] for run in full]


async def test_a_summary_of_trackers_leaves_out_what_is_rarely_needed(call: Caller) -> None:
    rare = {"space_id", "category", "visibility", "created_at", "updated_at"}
    summary = (await call("list_trackers", space_id=SPACE))["data"]
    full = (await call("list_trackers", space_id=SPACE, detail="full"))["data"]
    assert all(not rare & tracker.keys() for tracker in summary)
    assert all(rare - {"visibility"} <= tracker.keys() for tracker in full)  # which the newer service has not
    assert any("last_run_at" in tracker for tracker in summary)


async def test_a_summary_of_trackers_cuts_long_instructions(call: Caller, sandbox: Sandbox) -> None:
    long = "word " * 199
    await call("update_tracker", tracker_id=UNUSED, agent_config={"instruction": long})

    async def instruction(detail: str) -> str:
        listed = (await call("list_trackers", space_id=SPACE, detail=detail))["data"]
        return next(one for one in listed if one["tracker_id"] == UNUSED)["agent_config"]["instruction"]

    short = await instruction("summary")
    assert len(short) <= 160
    assert short.endswith("word…")
    assert await instruction("full") == long


async def test_a_short_instruction_is_not_cut(call: Caller, sandbox: Sandbox) -> None:
    listed = (await call("list_trackers", space_id=SPACE))["data"]
    shown = next(one for one in listed if one["tracker_id"] == TESLA)
    assert shown["agent_config"]["instruction"] == tracker_of(sandbox).agent_config["instruction"]


async def test_get_tracker_gives_everything(call: Caller) -> None:
    got = await call("get_tracker", tracker_id=PORTFOLIO)
    assert len(got["agent_config"]["linked_trackers"]) == 3
    assert (await call("get_tracker", tracker_id=SEMIS))["schedule"]["interval_minutes"] == 1440


@pytest.mark.parametrize(
    ("tool", "method", "path", "body"),
    [
        ("get_space", "GET", "/spaces/", {"space_id": SPACE, "colour": {"deep": [1, {"x": "y"}]}}),
        ("get_tracker", "GET", "/trackers/", {"tracker_id": TESLA, "colour": "red"}),
        (
            "get_run",
            "GET",
            "/runs/",
            {"run_id": RUN, "status": "zen", "config_snapshot": {"agent_config": {"reasoning_mode": "zen"}}},
        ),
        ("get_vault", "GET", "/vault", {"vault_id": "vlt_1", "colour": "red"}),
        ("list_skills", "GET", "/skills", {"data": [{"skill_id": "x", "status": "beta", "colour": 1}]}),
    ],
)
async def test_what_the_service_adds_is_passed_on(
    call: Caller, sandbox: Sandbox, tool: str, method: str, path: str, body: dict[str, Any]
) -> None:
    answering(sandbox, method, path, body)
    got = await call(tool, **CALLS[tool])
    assert got.items() >= body.items()


@pytest.mark.parametrize("tool", ["get_space", "get_tracker", "get_run", "get_vault", "get_vault_source"])
async def test_documented_fields_may_be_absent_or_null(call: Caller, sandbox: Sandbox, tool: str) -> None:
    full = await call(tool, **CALLS[tool])
    needed = {"space_id", "tracker_id", "run_id", "status", "vault_id", "source_id"}
    nulls = {name: value if name in needed else None for name, value in full.items() if name != "next_step"}
    answering(sandbox, "GET", "/api/", nulls)
    assert {"next_step"} | (await call(tool, **CALLS[tool])).keys() <= needed | {"next_step"}


async def test_whole_numbers_have_no_fraction(call: Caller, sandbox: Sandbox) -> None:
    answering(sandbox, "GET", "/spaces/", '{"space_id": "spc_1", "used_gb": 3.0, "capacity_gb": 2.5, "name": "x"}')
    result = await call.raw("get_space", {"space_id": SPACE})
    assert '"used_gb":3,' in str(result.content)
    assert '"capacity_gb":2.5,' in str(result.content)


@pytest.mark.slow
async def test_three_hundred_calls_at_once_are_all_answered(call: Caller) -> None:
    answers: list[str] = []

    async def one() -> None:
        answers.append((await call("get_tracker", tracker_id=TESLA))["name"])

    async with anyio.create_task_group() as tasks:
        for _ in range(300):
            tasks.start_soon(one)
    assert answers == ["Tesla Sentiment"] * 300


@both_eras
async def test_a_large_answer_is_rendered_like_a_small_one(sandbox: Sandbox, mode: Mode) -> None:
    many = [{"line": "One\u200b and two", "gone": None, "next_step": "theirs", "at": 1.0}] * 10_000
    body = json.dumps({"tracker_id": TESLA, "space_id": SPACE, "name": "N", "many": many})
    sandbox.faults.add(Fault("GET", f"{TESLA}$", "status", code=200, body=body))
    async with connected(sandbox, mode=mode) as call:
        tracker = await call("get_tracker", tracker_id=TESLA)
    assert tracker["many"] == [{"line": "One and two", "at": 1}] * 10_000
