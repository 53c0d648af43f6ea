"""How arguments are read: what is missing, unknown, null, or JSON in a text, and what JSON cannot carry."""

from __future__ import annotations

import json

import pytest

from help.callers import Caller, tracker_of
from help.eras import both_eras
from help.seeded import AGENT, CALLS, DAILY, RUN, SOURCE, TESLA, UNUSED, Json, lines_of
from quantinal_mcp.sandbox import Sandbox

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("tool", "changes", "step"),
    [
        ("list_runs", {"min_score": 60, "max_score": 40}, "swap them"),
        ("list_runs", {"start_date": "2026-02-02", "end_date": "2026-02-01"}, "swap them"),
        ("upload_vault_json", {"data": [5]}, 'Give rows like {"'),
        ("upload_vault_json", {"data": []}, 'Give rows like {"'),
    ],
)
async def test_what_is_refused_is_told_what_mends_it(call: Caller, tool: str, changes: Json, step: str) -> None:
    assert step in await call.refused(tool, **{**CALLS[tool], **changes})


async def test_a_required_argument_that_is_missing_or_null_is_named(call: Caller) -> None:
    for tool, listed in (await call.tools()).items():
        for missing in listed.input_schema.get("required", []):
            rest = {name: value for name, value in CALLS[tool].items() if name != missing}
            for arguments in (rest, {**rest, missing: None}):
                assert f"{missing} is missing" in await call.refused(tool, **arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        {"tracker_id": TESLA},
        {"tracker_id": TESLA, "filename": "a.txt"},
        {"tracker_id": TESLA, "content": "a"},
        {"tracker_id": TESLA, "content_base64": "aGk="},
        {"tracker_id": TESLA, "filename": "a.txt", "content": "a", "content_base64": "aGk="},
        {"tracker_id": TESLA, "filename": "a.txt", "content": "a", "path": "/a.txt"},
        {"tracker_id": TESLA, "filename": "a.txt", "content_base64": "not base64!"},
        {"tracker_id": TESLA, "filename": "a.txt", "content_base64": "aGkaG"},
        {"tracker_id": TESLA, "filename": "a.txt", "content_base64": "YQé="},
        {"tracker_id": TESLA, "filename": "a.txt", "content_base64": " \n "},
    ],
)
async def test_a_file_comes_from_exactly_one_place(call: Caller, arguments: Json) -> None:
    await call.refused("upload_vault_file", **arguments)


@both_eras
async def test_an_unknown_argument_is_refused_naming_the_valid_ones(call: Caller) -> None:
    for tool, arguments in CALLS.items():
        text = await call.refused(tool, **arguments, max_qants=1)
        assert "'max_qants'" in text
        listed = await call.tools()
        for name in listed[tool].input_schema.get("properties", {}):
            assert name in text
    assert "no arguments" not in await call.refused("list_spaces", x=None)


async def test_a_misspelt_ceiling_does_not_become_a_paid_run(call: Caller, sandbox: Sandbox) -> None:
    assert "max_quants" in await call.refused("trigger_run", tracker_id=TESLA, max_quant=0.001)
    assert sandbox.charged() == 0


UNSENDABLE: list[tuple[str, Json]] = [
    ("trigger_run", {"tracker_id": "trk_\ud800"}),
    ("trigger_run", {"context": {"note": "\udfff"}}),
    ("trigger_run", {"context": '{"a": Infinity}'}),
    ("trigger_run", {"context": '{"a": [NaN]}'}),
    ("trigger_run", {"context": '{"a": "\\ud800"}'}),
    ("trigger_run", {"context": '{"a": 1e999}'}),
    ("upload_vault_json", {"data": '{"a": -Infinity}'}),
    ("upload_vault_json", {"data": '[{"\\udc00": 1}]'}),
    ("upload_vault_json", {"data": '{"a":' * 100_000 + "1" + "}" * 100_000}),
    ("create_tracker", {"agent_config": '{"instruction": "a\\ud800", "score_meaning": "m", "skills": []}'}),
]


@pytest.mark.parametrize(("tool", "changes"), UNSENDABLE)
async def test_a_value_that_json_cannot_carry_is_refused_and_the_server_goes_on(
    call: Caller, tool: str, changes: Json
) -> None:
    await call.refused(tool, **{**CALLS[tool], **changes})
    assert await call("list_spaces")


@pytest.mark.parametrize("name", ["page", "page_size", "detail"])
async def test_an_optional_argument_given_as_null_has_its_default(call: Caller, name: str) -> None:
    assert await call("list_runs", tracker_id=TESLA, **{name: None}) == await call("list_runs", tracker_id=TESLA)


@both_eras
async def test_every_optional_argument_may_be_null(call: Caller) -> None:
    listed = await call.tools()
    # What is deleted can be asked for no more.
    for tool in sorted(CALLS, key=lambda tool: (tool.startswith("delete_"), tool == "delete_tracker")):
        arguments = CALLS[tool]
        optional = listed[tool].input_schema.get("properties", {}).keys() - arguments.keys()
        if tool == "delete_vault_source":  # which update_vault_source has renamed
            arguments = {**arguments, "confirm_name": "earnings"}
        assert await call(tool, **arguments, **dict.fromkeys(optional))


async def test_a_null_inside_an_object_of_ours_counts_as_not_given(call: Caller, sandbox: Sandbox) -> None:
    made = await call(
        "create_tracker",
        **lines_of(agent_config={**AGENT, "reasoning_mode": None, "linked_trackers": None}),
        schedule=None,
        notification_config={"score_threshold": None, "email_enabled": True, "webhook_enabled": None},
    )
    assert made["agent_config"]["reasoning_mode"] == "basic"
    assert made["notification_config"] == {"score_threshold": 40, "email_enabled": True, "webhook_enabled": False}


async def test_nulls_in_data_and_context_are_data(call: Caller, sandbox: Sandbox) -> None:
    await call("upload_vault_json", tracker_id=UNUSED, source_name="rows", data={"a": None, "b": [None, {"c": None}]})
    (source,) = tracker_of(sandbox, UNUSED).vault.sources.values()
    assert json.loads(source.items[0].content) == {"a": None, "b": [None, {"c": None}]}
    await call("trigger_run", tracker_id=TESLA, context={"a": None})
    assert sandbox.runs()[-1]["internal"]["context"] == {"a": None}


async def test_objects_and_lists_that_arrive_as_json_text_are_decoded(call: Caller, sandbox: Sandbox) -> None:
    made = await call("create_tracker", **lines_of(agent_config=json.dumps({**AGENT, "reasoning_mode": None})))
    assert made["agent_config"]["instruction"] == AGENT["instruction"]
    where = {"tracker_id": made["tracker_id"]}
    await call("update_tracker", **where, run_mode="scheduled", schedule=json.dumps(DAILY))
    cleared = await call("update_tracker", **where, run_mode="manual", clear_fields='["schedule"]')
    assert "schedule" not in cleared
    await call("upload_vault_json", **where, source_name="rows", data='[{"a": 1}, {"a": 2}]')
    await call("upload_vault_json", **where, source_name="rows", data='{"a": 3}')
    (source,) = tracker_of(sandbox, made["tracker_id"]).vault.sources.values()
    assert [json.loads(item.content) for item in source.items] == [{"a": 1}, {"a": 2}, {"a": 3}]
    await call("trigger_run", tracker_id=TESLA, context='{"a": 1}')
    assert sandbox.runs()[-1]["internal"]["context"] == {"a": 1}
    kinds = await call("list_recent_vault_data", tracker_id=TESLA, content_types='["text"]')
    assert {item["content_type"] for item in kinds["results"]} == {"text"}


LOOKS_LIKE_JSON = ("null", "5", '"5"', '{"a":1}', "[1,2]", "true", "1e5", ' {"a": 1} ', "NaN")


@both_eras
async def test_text_that_looks_like_json_stays_text(call: Caller, sandbox: Sandbox) -> None:
    for text in LOOKS_LIKE_JSON:
        commented = await call("update_run_comment", tracker_id=TESLA, run_id=RUN, comment=text)
        assert commented["run_comment"] == text
        described = await call("update_vault_source", tracker_id=TESLA, source_id=SOURCE, description=text)
        assert described["description"] == text
        named = await call("update_tracker", tracker_id=UNUSED, name=text)
        assert named["name"] == text
        await call("upload_vault_file", tracker_id=UNUSED, filename="n.txt", content=text, source_name=text)
        (source,) = [one for one in tracker_of(sandbox, UNUSED).vault.sources.values() if one.name == text]
        assert source.items[0].content == text.strip()


async def test_times_are_sent_as_utc(call: Caller, sandbox: Sandbox) -> None:
    await call(
        "list_runs", tracker_id=TESLA, start_date="2026-02-01T01:30:00+02:00", end_date="2026-03-01T00:00:00.5-05:00"
    )
    query = sandbox.requests[-1].query
    assert "start_date=2026-01-31T23%3A30%3A00Z" in query
    assert "end_date=2026-03-01T05%3A00%3A00.500000Z" in query
    made = await call(
        "create_tracker",
        **lines_of(
            run_mode="scheduled",
            schedule={
                "start_time": "2030-01-01T09:00:00+09:00",
                "interval_minutes": 1440,
                "end_time": "2031-01-01T00:00:00-01:00",
            },
        ),
    )
    assert made["schedule"]["start_time"] == "2030-01-01T00:00:00Z"
    assert made["schedule"]["end_time"] == "2031-01-01T01:00:00Z"


async def test_json_in_a_text_of_too_many_values_is_not_read(call: Caller) -> None:
    text = await call.refused("upload_vault_json", tracker_id=TESLA, source_name="x", data=f"[{'[],' * 100_001}0]")
    assert "data is a text that holds more than 200000 values" in text
    text = await call.refused("trigger_run", tracker_id=TESLA, context="{" * 200_001)
    assert "context is a text" in text
