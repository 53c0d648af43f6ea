"""Clumsy calls, over every tool: what can only mean one thing is taken."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest

from help.callers import Caller
from help.eras import both_eras
from help.schemas import TOOLS, arguments
from help.seeded import BARE, CALLS, RUN, SEMIS, SPACE, TESLA, Json
from quantinal_mcp.errors import InvalidRequest
from quantinal_mcp.protocol.calls.taken import EMPTY_CLEARS, take
from quantinal_mcp.sandbox import Sandbox

pytestmark = pytest.mark.anyio


def camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def in_camel_case(value: Any, schema: Json) -> Any:
    """The arguments of a call with the names of all fields of ours in camel case."""
    if not isinstance(value, dict) or "properties" not in schema:
        return cast("Any", value)
    items = cast("Json", value).items()
    return {camel(name): in_camel_case(item, schema["properties"][name]) for name, item in items}


@pytest.mark.parametrize("tool", CALLS)
def test_camel_case_is_taken_for_every_argument_and_every_field(tool: str) -> None:
    written = in_camel_case(CALLS[tool], {"properties": TOOLS[tool]})
    assert take(tool, written, TOOLS[tool]) == take(tool, CALLS[tool], TOOLS[tool])


@pytest.mark.parametrize("tool", CALLS)
def test_what_is_written_as_the_schema_has_it_is_left_as_it_is(tool: str) -> None:
    assert take(tool, CALLS[tool], TOOLS[tool]) == CALLS[tool]


def test_an_argument_that_is_given_twice_is_not_guessed() -> None:
    with pytest.raises(InvalidRequest, match="trackerId"):
        take("get_tracker", {"trackerId": SEMIS, "tracker_id": TESLA}, TOOLS["get_tracker"])


def test_a_word_of_a_few_is_taken_in_any_case_everywhere() -> None:
    seen = 0
    for tool, name, schema in arguments():
        for word in schema.get("enum", []):
            assert take(tool, {name: f" {word.upper()} "}, TOOLS[tool]) == {name: word}
            seen += 1
        for inner, field in cast("Json", schema.get("properties", {})).items():
            for word in field.get("enum", []):
                assert take(tool, {name: {inner: word.title()}}, TOOLS[tool]) == {name: {inner: word}}
                seen += 1
    assert seen > 20


def test_a_lone_value_or_a_comma_list_is_taken_for_every_list_of_ids_or_words() -> None:
    seen = 0
    for tool, name, schema in arguments():
        if schema.get("items", {}).get("type") != "string":
            continue
        one, other = schema["items"].get("enum", ["trk_a", "trk_b"])[:2]
        for given, taken in (
            (one, [one]),
            (f"{one}, {other}", [one, other]),
            (f"{one},", [one]),
            ([f"{one},{other}"], [one, other]),
            (json.dumps([one, other]), [one, other]),
            ([one], [one]),
            ([], []),
        ):
            assert take(tool, {name: given}, TOOLS[tool]) == {name: taken}
        seen += 1
    assert seen >= 3


def test_an_empty_text_counts_as_not_given_except_where_it_clears() -> None:
    clears = set[tuple[str, str]]()
    for tool, name, schema in arguments():
        taken = take(tool, {name: ""}, TOOLS[tool])
        if EMPTY_CLEARS in schema.get("description", ""):
            assert taken == {name: ""}
            clears.add((tool, name))
        else:
            assert taken == {}
    assert clears == {("update_run_comment", "comment"), ("update_vault_source", "description")}


UNSEEN = (" ", "\t\n ", "\u200b", " \u200b\u2060 ", "\u00ad\ufe0f")


def test_a_text_with_nothing_to_see_in_it_is_refused_wherever_one_is_wanted() -> None:
    seen = set[str]()
    for tool, name, schema in arguments():
        fields = {f"{name}.{inner}": field for inner, field in cast("Json", schema.get("properties", {})).items()}
        for place, field in {name: schema, **fields}.items():
            if field.get("type") != "string" or field.keys() & {"enum", "format", "pattern"}:
                continue
            if EMPTY_CLEARS in field.get("description", ""):
                continue
            for text in UNSEEN:
                given = {name: {place.partition(".")[2]: text}} if "." in place else {name: text}
                with pytest.raises(InvalidRequest, match=f"{place} must hold at least one visible character"):
                    take(tool, given, TOOLS[tool])
            seen.add(place)
    assert seen >= {"name", "description", "source_name", "filename", "agent_config.instruction", "name_contains"}


@both_eras
async def test_a_name_that_nobody_can_see_is_not_written(call: Caller) -> None:
    for tool in ("create_tracker", "update_tracker", "update_vault_source"):
        text = await call.refused(tool, **{**CALLS[tool], "name": " \u200b "})
        assert text == "[invalid_request] name must hold at least one visible character. Nothing was sent."


def test_an_id_in_capitals_or_with_white_space_around_it_is_taken_for_every_id() -> None:
    seen = 0
    for tool, name, schema in arguments():
        many = "items" in schema
        pattern = schema.get("items", schema).get("pattern", "")
        if not pattern:
            continue
        whole = (pattern[1:5] if "_." in pattern else "") + BARE
        for written in (whole, whole.upper(), f" {whole}\n", whole.replace(BARE, BARE.upper())):
            assert take(tool, {name: [written] if many else written}, TOOLS[tool]) == {name: [whole] if many else whole}
        if "_." in pattern:
            other = f" {pattern[1:5].upper()}a"  # what is no UUID may be anything
            assert take(tool, {name: other}, TOOLS[tool]) == {name: [other.strip()] if many else other}
        seen += 1
    assert seen > 25


async def test_an_id_in_capitals_finds_what_it_names(call: Caller) -> None:
    assert (await call("get_run", tracker_id=TESLA.upper(), run_id=f" {RUN.upper()}"))["run_id"] == RUN


def test_an_object_of_nothing_but_empties_counts_as_not_given_and_an_empty_one_does_not() -> None:
    properties = TOOLS["update_tracker"]
    assert take("update_tracker", {"agent_config": {"instruction": "", "skills": None}}, properties) == {}
    assert take("update_tracker", {"agent_config": {}}, properties) == {"agent_config": {}}


def test_a_plain_date_is_that_day_in_every_filter_and_in_no_schedule() -> None:
    seen = 0
    for tool, name, schema in arguments():
        if schema.get("format") == "date-time":
            day = "00:00:00Z" if name.startswith("start") else "23:59:59.999999Z"
            assert take(tool, {name: "2026-02-18"}, TOOLS[tool]) == {name: f"2026-02-18T{day}"}
            seen += 1
    assert seen == 8
    schedule = {"schedule": {"start_time": "2026-02-18"}}
    assert take("create_tracker", schedule, TOOLS["create_tracker"]) == schedule


async def test_a_plain_date_reaches_the_service_as_that_day(call: Caller, sandbox: Sandbox) -> None:
    await call("list_runs", tracker_id=TESLA, start_date="2026-02-18", end_date="2026-02-18")
    query = sandbox.requests[-1].query
    assert "start_date=2026-02-18T00%3A00%3A00Z" in query
    assert "end_date=2026-02-18T23%3A59%3A59.999999Z" in query


async def test_a_text_where_notes_are_wanted_is_a_note(call: Caller, sandbox: Sandbox) -> None:
    await call("trigger_run", tracker_id=TESLA, context="mind the margins")
    assert sandbox.runs()[-1]["internal"]["context"] == {"note": "mind the margins"}


@both_eras
async def test_clumsy_calls_that_mean_one_thing_do_it(call: Caller, sandbox: Sandbox) -> None:
    made = await call(
        "create_tracker",
        spaceId=SPACE,
        name="New",
        description="A new one",
        runMode="Manual",
        agentConfig={"instruction": "Read.", "scoreMeaning": "Mood", "skills": "web,reviews", "reasoningMode": "BASIC"},
        sharedVaultTrackerId="",
    )
    assert made["agent_config"]["skills"] == ["web", "reviews"]
    assert made["agent_config"]["reasoning_mode"] == "basic"
    listed = await call("list_runs", trackerId=TESLA, status="COMPLETED", pageSize=1, notification_status="")
    assert [run["status"] for run in listed["data"]] == ["completed"]
    compared = await call("compare_scores", tracker_ids=f"{TESLA}, {SEMIS}")
    assert len(compared["pairs"]) == 1
