"""Wrong calls, over every tool: a model is told what mends them, in no library's words."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from help.callers import Caller, connected
from help.eras import both_eras, virtual_time
from help.schemas import TOOLS, arguments
from help.seeded import AGENT, CALLS, DAILY, RUN, TESLA, Json, lines_of
from quantinal_mcp.sandbox import Sandbox

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 25, 18, 7, tzinfo=UTC)

LIBRARY = re.compile(
    r"Input should|Value error|String should|List should|Field required|Extra inputs|valid dictionary|"
    r"valid (string|integer|number|list)|pattern|pydantic|input_type|literal|dict\b|str\b|int\b|NoneType"
)
"""The words of a validation library."""

WRONG: tuple[Any, ...] = (
    "yesterday",
    -1,
    10**9,
    1.5,
    True,
    [],
    [[]],
    {"a": 1},
    [{"a": 1}],
    "x" * 5000,
    "{",
    "trk_é",
)


@pytest.mark.patient
@virtual_time
@pytest.mark.parametrize("tool", CALLS)
async def test_no_word_of_a_validation_library_reaches_a_model(call: Caller, tool: str) -> None:
    for name, schema in TOOLS[tool].items():
        fields = [{inner: wrong} for inner in schema.get("properties", {}) for wrong in WRONG]
        for wrong in (*WRONG, *fields, *({"unknown": 1} for _ in fields[:1])):
            result = await call.result(tool, **{**CALLS[tool], name: wrong})
            if result.is_error:
                assert not LIBRARY.search(str(result.content))


MISPLACED: list[tuple[str, Json, str]] = [
    *(
        (tool, {inner: 1}, f"'{inner}' (it goes inside {name}: {name}=")
        for tool, name, schema in arguments()
        for inner in schema.get("properties", {})
        if inner not in TOOLS[tool]
    ),
    (
        "create_tracker",
        {"schedule": {**DAILY, "timezone": "CET"}},
        "'timezone' in schedule (there is none: times carry",
    ),
    (
        "create_tracker",
        {"schedule": {**DAILY, "cron": "0 9 * * *"}},
        "'cron' in schedule (there is none: a schedule is",
    ),
    ("create_tracker", {"notification_config": {"email": True}}, "called notification_config.email_enabled"),
    ("create_tracker", {"agent_config": {**AGENT, "score_threshold": 5}}, "it goes inside notification_config"),
    ("create_tracker", {"agent_config": {**AGENT, "name": "x"}}, "'name' in agent_config (it goes beside, not inside)"),
    ("create_tracker", {"agent_config": {**AGENT, "temperature": 1}}, "'temperature' in agent_config (it has: instr"),
    ("list_runs", {"limit": 5}, "'limit' (it is called page_size)"),
    ("list_trackers", {"limit": 5}, "'limit' (it is called page_size)"),
    ("get_tracker", {"id": TESLA}, "'id' (it is called tracker_id)"),
    ("get_run", {"id": RUN}, "'id' (it is called run_id or tracker_id)"),
    ("get_overview", {"query": "tesla"}, "'query' (it is called name_contains)"),
    ("trigger_run", {"max_quant": 1}, "'max_quant' (did you mean max_quants?)"),
    ("list_runs", {"since": "2026-01-01"}, "'since' (it is called start_date)"),
    ("upload_vault_file", {"file": "a.csv"}, "'file' (it is called path)"),
]


@pytest.mark.parametrize(("tool", "given", "said"), MISPLACED)
async def test_what_is_in_the_wrong_place_or_called_otherwise_is_told_where_it_belongs(
    call: Caller, tool: str, given: Json, said: str
) -> None:
    required = given if "id" in given else {**CALLS[tool], **given}
    text = await call.refused(tool, **required)
    assert said in text
    if not any(isinstance(value, dict) for value in given.values()):
        assert f"{tool} takes: {', '.join(TOOLS[tool])}" in text


async def test_a_mode_for_one_run_is_answered_with_the_three_calls_that_do_it(call: Caller, sandbox: Sandbox) -> None:
    text = await call.refused("trigger_run", tracker_id=TESLA, reasoning_mode="super")
    assert "The mode is the tracker's." in text
    assert f'update_tracker(tracker_id={TESLA}, agent_config={{"reasoning_mode": "super"}})' in text
    assert f"trigger_run(tracker_id={TESLA})" in text
    assert "back to the mode it had" in text
    assert sandbox.charged() == 0


@both_eras
@pytest.mark.parametrize("given", ["yesterday", "7d", "24/11/2026", "2026-02-30", 1700000000, "tomorrow at 9"])
async def test_a_time_of_another_form_is_answered_with_the_form_and_with_todays_date(
    sandbox: Sandbox, mode: str, given: Any
) -> None:
    async with connected(sandbox, mode, now=NOW) as call:
        for tool, name, schema in arguments():
            if schema.get("format") != "date-time":
                continue
            text = await call.refused(tool, **{**CALLS[tool], name: given})
            assert f"{name} must be an ISO 8601 time with an offset, like 2026-11-25T18:07:00Z, or a plain date" in text
            assert "like 2026-11-25." in text
            assert text.endswith("It is now 2026-11-25T18:07Z.")


@pytest.mark.parametrize(
    ("tool", "given"),
    [
        ("list_runs", {"start_date": "2026-02-02", "end_date": "2026-02-01"}),
        ("get_spending", {"start_date": "2026-02-02", "end_date": "2026-02-01"}),
        ("get_spending", {"start_date": "2026-11-26"}),
        ("create_tracker", {"run_mode": "scheduled", "schedule": {**DAILY, "start_time": "tomorrow"}}),
        ("create_tracker", {"run_mode": "scheduled", "schedule": {"interval_minutes": 5}}),
        ("create_tracker", {"run_mode": "scheduled", "schedule": {**DAILY, "end_time": "2029-01-01T00:00:00Z"}}),
    ],
)
async def test_an_error_about_time_says_what_time_it_is(sandbox: Sandbox, tool: str, given: Json) -> None:
    async with connected(sandbox, now=NOW) as call:
        assert "It is now 2026-11-25T18:07Z." in await call.refused(tool, **{**CALLS[tool], **given})
        assert "It is now" not in await call.refused("list_runs", tracker_id=TESLA, page=0)


@pytest.mark.parametrize(
    ("tool", "given"),
    [
        ("update_tracker", {"clear_fields": ["name"]}),
        (
            "update_tracker",
            {"clear_fields": ["schedule.end_time"], "schedule": DAILY | {"end_time": "2031-01-01T00Z"}},
        ),
        ("create_tracker", {"schedule": "daily"}),
        ("create_tracker", {"schedule": {**DAILY, "colour": "red"}}),
        ("list_runs", {"since": "2026-01-01"}),
    ],
)
async def test_an_error_that_only_names_a_time_does_not(call: Caller, tool: str, given: Json) -> None:
    assert "It is now" not in await call.refused(tool, **{**CALLS[tool], **given})


async def test_what_an_object_may_hold_is_told_apart_from_what_it_must(call: Caller) -> None:
    text = await call.refused("create_tracker", **lines_of(schedule="daily"))
    assert "schedule must be an object with start_time, interval_minutes, optionally end_time." in text


async def test_a_time_without_its_offset_is_told_to_have_one(call: Caller) -> None:
    text = await call.refused("list_runs", tracker_id=TESLA, start_date="2026-02-18T09:00:00")
    assert "start_date lacks its offset: append Z for UTC" in text
