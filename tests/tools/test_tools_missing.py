"""What there is not, be it an id or a tool: it is named, with the call that lists what there is."""

from __future__ import annotations

import re

import pytest

from help.callers import Caller, connected, tracker_of
from help.eras import both_eras
from help.seeded import CALLS, RUN, SEMIS, SOURCE, TESLA
from quantinal_mcp.sandbox import Sandbox

pytestmark = pytest.mark.anyio

READING = {tool for tool in CALLS if tool.startswith(("get_", "list_", "wait_", "estimate_", "compare_"))}
MISSING: list[tuple[str, dict[str, str]]] = [
    ("get_space", {"space_id": "spc_none"}),
    ("create_tracker", {"space_id": "spc_none"}),
    ("list_trackers", {"space_id": "spc_none"}),
    ("get_run", {"run_id": "run_none"}),
    ("wait_for_run", {"run_id": "run_none"}),
    ("update_run_comment", {"run_id": "run_none"}),
    ("delete_run", {"run_id": "run_none"}),
    ("get_vault_source", {"source_id": "none"}),
    ("update_vault_source", {"source_id": "none"}),
    ("delete_vault_source", {"source_id": "none"}),
    *((tool, {"tracker_id": "trk_none"}) for tool, arguments in CALLS.items() if "tracker_id" in arguments),
]


@both_eras
async def test_an_id_of_nothing_is_not_found(call: Caller) -> None:
    for tool, changes in MISSING:
        (id_,) = changes.values()
        text = await call.fails(tool, "not_found", **{**CALLS[tool], **changes})
        assert id_ in text
        assert re.search(r"(list_spaces|get_overview|list_\w+\(tracker_id=trk_[\w-]+\)) lists what there is", text)
        assert ("othing was" in text) == (tool not in READING)


@pytest.mark.parametrize(
    ("tool", "changes", "text"),
    [
        (
            "get_tracker",
            {"tracker_id": "trk_none"},
            "There is no tracker trk_none. get_overview lists what there is; it may be deleted or belong to another "
            "account.",
        ),
        (
            "delete_tracker",
            {"tracker_id": "trk_none"},
            "There is no tracker trk_none. get_overview lists what there is; it may be deleted or belong to another "
            "account. Nothing was deleted.",
        ),
        (
            "trigger_run",
            {"tracker_id": "trk_none"},
            "There is no tracker trk_none. get_overview lists what there is; it may be deleted or belong to another "
            "account. Nothing was sent.",
        ),
        (
            "update_run_comment",
            {"run_id": "run_none"},
            f"Tracker {TESLA} has no run run_none. list_runs(tracker_id={TESLA}) lists what there is; it may be "
            "deleted or belong to another tracker. Nothing was changed.",
        ),
        (
            "delete_vault_source",
            {"source_id": "earnings-data"},
            f'Tracker {TESLA} has no source "earnings-data". "earnings-data" is the name of source {SOURCE}. '
            "Nothing was deleted.",
        ),
        (
            "get_vault_source",
            {"source_id": "nobodys"},
            f'Tracker {TESLA} has no source "nobodys". list_vault_sources(tracker_id={TESLA}) lists what there is; it '
            "may be deleted or belong to another tracker.",
        ),
    ],
)
async def test_what_there_is_not_is_named_with_the_call_that_lists_what_there_is(
    call: Caller, sandbox: Sandbox, tool: str, changes: dict[str, str], text: str
) -> None:
    assert (await call.error(tool, **{**CALLS[tool], **changes})).partition("] ")[2] == text
    assert len(sandbox.requests) <= 2


async def test_a_source_given_by_its_name_costs_one_more_request(call: Caller, sandbox: Sandbox) -> None:
    for _ in range(3):
        await call.fails("get_vault_source", "not_found", tracker_id=TESLA, source_id="Earnings-Data")
    assert sandbox.count("GET", "/vault/sources$") == 1


async def test_a_sources_name_that_could_be_no_id_is_known_too(call: Caller, sandbox: Sandbox) -> None:
    its_id = next(key for key, one in tracker_of(sandbox).vault.sources.items() if one.name == "deliveries.csv")
    where = {"tracker_id": TESLA, "source_id": "deliveries.csv"}
    for tool in ("get_vault_source", "update_vault_source", "delete_vault_source"):
        text = await call.fails(tool, "invalid_request", **{**CALLS[tool], **where})
        assert f'source_id takes a source\'s id; "deliveries.csv" is the name of {its_id}. Nothing was sent' in text


async def test_another_accounts_tracker_is_not_found() -> None:
    sandbox = Sandbox(tokens=("qapi_sandbox", "qapi_other"))
    async with connected(sandbox, token="qapi_other") as call:
        await call.fails("get_tracker", "not_found", tracker_id=TESLA)


@both_eras
@pytest.mark.parametrize(
    ("tool", "near"),
    [
        ("list_planets", "list_trackers"),
        ("run_tracker", "trigger_run"),
        ("getOverview", "get_overview"),
        ("list_scores", "compare_scores"),
        ("delete_source", "delete_vault_source"),
        ("spending", "get_spending"),
    ],
)
async def test_an_unknown_tool_is_answered_with_the_nearest_names(call: Caller, tool: str, near: str) -> None:
    text = await call.refused(tool)
    assert f'Unknown tool "{tool}"' in text
    assert near in text


async def test_a_tool_that_the_operator_left_out_is_said_to_be_left_out(sandbox: Sandbox) -> None:
    async with connected(sandbox, read_only=True) as call:
        assert "QUANTINAL_READ_ONLY" in await call.refused("delete_tracker", tracker_id=TESLA)


async def test_a_run_that_is_not_here_may_belong_to_another_tracker(call: Caller) -> None:
    where = {"tracker_id": SEMIS, "run_id": RUN}
    for tool in ("get_run", "wait_for_run", "delete_run"):
        text = await call.fails(tool, "not_found", **where)
        assert "belong to another tracker" in text
        assert f"list_runs(tracker_id={SEMIS})" in text
    assert "another tracker" in await call.fails("update_run_comment", "not_found", **where, comment="good")


async def test_an_id_in_capitals_that_there_is_not_is_named_on_one_line(call: Caller) -> None:
    where = {"tracker_id": f" {TESLA.upper()}\n", "run_id": f"{RUN.upper()[:-1]}0\n"}
    text = await call.fails("get_run", "not_found", **where)
    assert f"has no run {RUN.upper()[:-1]}0." in text
