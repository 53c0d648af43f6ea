"""Clumsy calls, over every tool: what can only mean one thing is taken, of the rest a model is told what mends it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, cast

import anyio
import pytest

from help.callers import Caller, connected
from help.eras import both_eras, virtual_time
from help.seeded import AGENT, CALLS, DAILY, RUN, SEMIS, SOURCE, SPACE, TESLA, Json, lines_of
from quantinal_mcp.errors import InvalidRequest
from quantinal_mcp.protocol.calls.taken import EMPTY_CLEARS, take
from quantinal_mcp.protocol.definitions import FOLDER
from quantinal_mcp.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 25, 18, 7, tzinfo=UTC)
BARE = "a1b2c3d4-5e6f-4a7b-8c9d-0e1f2a3b4c5d"

TOOLS: dict[str, Json] = {
    tool: json.loads((FOLDER / f"{tool}.json").read_bytes())["inputSchema"]["properties"] for tool in CALLS
}

LIBRARY = re.compile(
    r"Input should|Value error|String should|List should|Field required|Extra inputs|valid dictionary|"
    r"valid (string|integer|number|list)|pattern|pydantic|input_type|literal|dict\b|str\b|int\b|NoneType"
)
"""The words of a validation library."""


def arguments() -> Iterator[tuple[str, str, Json]]:
    """Every argument of every tool, and its schema."""
    for tool, properties in TOOLS.items():
        for name, schema in properties.items():
            yield tool, name, schema


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


IDS = {"space_id": SPACE, "tracker_id": TESLA, "run_id": RUN, "source_id": SOURCE}
OWNERS = {"space_id": "a space's", "tracker_id": "a tracker's", "run_id": "a run's", "source_id": "a source's"}
LISTED_BY = {"space_id": "list_spaces", "tracker_id": "get_overview", "run_id": "list_runs"}


@both_eras
@pytest.mark.parametrize("tool", [tool for tool, given in CALLS.items() if given.keys() & LISTED_BY.keys()])
async def test_an_id_of_another_kind_is_told_what_it_is_and_who_gives_the_right_one(call: Caller, tool: str) -> None:
    for name in CALLS[tool].keys() & LISTED_BY.keys():
        for other in IDS.keys() - {name, "source_id"}:
            text = await call.refused(tool, **{**CALLS[tool], name: IDS[other]})
            assert f"{name} is {OWNERS[other]} id; it takes {OWNERS[name]} id" in text
            assert LISTED_BY[name] in text
        bare = await call.refused(tool, **{**CALLS[tool], name: BARE})
        assert f"{name} is a UUID alone" in bare
        assert LISTED_BY[name] in bare


@pytest.mark.parametrize(
    ("tool", "name"),
    [(tool, name) for tool, name, _ in arguments() if name in {"tracker_id", "space_id"}],
)
async def test_a_name_that_is_one_known_is_answered_with_its_id(call: Caller, tool: str, name: str) -> None:
    known = {"tracker_id": ("tesla sentiment", TESLA), "space_id": ("Market Research", SPACE)}
    given, its_id = known[name]
    text = await call.fails(tool, "invalid_request", **{**CALLS[tool], name: given})
    assert f'"{given}" is the name of {its_id}' in text


async def test_names_within_lists_are_known_too(call: Caller) -> None:
    text = await call.fails("compare_scores", "invalid_request", tracker_ids=[TESLA, "Semiconductor Momentum"])
    assert (
        f'tracker_ids[1] takes a tracker\'s id, which begins with trk_; "Semiconductor Momentum" is the name of {SEMIS}'
        in text
    )


async def test_a_name_that_two_trackers_have_is_answered_with_both_ids(call: Caller) -> None:
    ids = [(await call("create_tracker", **lines_of(name="Twin")))["tracker_id"] for _ in range(2)]
    text = await call.fails("get_tracker", "invalid_request", tracker_id="Twin")
    assert all(one in text for one in ids)


async def test_a_name_that_nobody_knows_is_searched_for_by_the_overview(call: Caller) -> None:
    text = await call.fails("get_tracker", "invalid_request", tracker_id="Nobody's")
    assert """get_overview(name_contains="Nobody's")""" in text


@virtual_time
async def test_names_that_cannot_be_read_hold_a_refusal_up_for_five_seconds(call: Caller, sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("GET", "/api/", "hang_before", None, seconds=1000))
    started = anyio.current_time()
    named = lines_of(name="New", space_id="Market Research", shared_vault_tracker_id="Tesla Sentiment")
    text = await call.fails("create_tracker", "invalid_request", **named)
    assert "takes a space's id" in text
    assert "takes a tracker's id" in text
    assert anyio.current_time() - started < 6


async def test_a_name_is_not_looked_up_without_a_token(sandbox: Sandbox) -> None:
    async with connected(sandbox, token=None) as call:
        assert "get_overview" in await call.refused("get_tracker", tracker_id="Tesla Sentiment")


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


@pytest.mark.parametrize(
    ("skills", "said"),
    [
        (["webb"], 'Skill "webb" does not exist.'),
        (["patents"], 'Skill "patents" is disabled.'),
        (["Financial Markets"], 'Skill "Financial Markets" is the name of financial_markets.'),
        (["WEB"], 'Skill "WEB" is the name of web.'),
        (["web", "x", "patents", "x"], 'Skill "x" does not exist, skill "patents" is disabled.'),
    ],
)
async def test_a_skill_that_cannot_be_used_is_named_with_those_that_can(
    call: Caller, sandbox: Sandbox, skills: list[str], said: str
) -> None:
    changed = {"tracker_id": TESLA, "agent_config": {"skills": skills}}
    for tool, given in (
        ("create_tracker", lines_of(agent_config={**AGENT, "skills": skills})),
        ("update_tracker", changed),
    ):
        text = await call.fails(tool, "invalid_request", **given)
        assert said in text
        assert "agent_config.skills takes: company_filings, financial_markets, reviews, social_media, web." in text
    assert sandbox.count("POST", "/") == sandbox.count("PATCH", "/") == 0


async def test_a_category_is_taken_in_any_case_and_one_that_there_is_not_is_answered_with_those_that_there_are(
    call: Caller, sandbox: Sandbox
) -> None:
    finance = await call("list_skills", category="finance", status="active")
    assert finance["data"]
    assert await call("list_skills", category="Finance", status="active") == finance
    none = await call("list_skills", category="Sports")
    assert none["data"] == []
    categories = {skill["category"] for skill in (await call("list_skills"))["data"]}
    assert none["next_step"] == f"no skill is of this category; there are: {', '.join(sorted(categories))}"
    assert "next_step" not in await call("list_skills", category="finance", status="disabled", page_size=100)


async def test_where_skills_cannot_be_listed_the_service_decides() -> None:
    sandbox = Sandbox(skills_forbidden=True)
    async with connected(sandbox) as call:
        assert await call("create_tracker", **lines_of())
        await call.fails("create_tracker", "invalid_request", **lines_of(agent_config={**AGENT, "skills": ["x"]}))
    assert sandbox.count("POST", "/") == 2


async def test_very_many_unknown_names_are_answered_briefly(call: Caller) -> None:
    text = await call.refused("get_tracker", **{f"{'x' * 2000}{number}": 1 for number in range(300)})
    assert len(text) < 1500
    nested = {"agent_config": {**AGENT, **{f"x{number}": 1 for number in range(300)}}}
    assert "and 292 more" in await call.refused("create_tracker", **lines_of(**nested))
