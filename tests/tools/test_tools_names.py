"""Names and ids of another kind: refused with the right one, or with those that there are."""

from __future__ import annotations

import anyio
import pytest

from help.callers import Caller, connected
from help.eras import both_eras, virtual_time
from help.schemas import arguments
from help.seeded import AGENT, BARE, CALLS, RUN, SEMIS, SOURCE, SPACE, TESLA, lines_of
from quantinal_mcp.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio

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
