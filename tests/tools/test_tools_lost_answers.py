"""An upload or a create whose answer was lost is sent once, and looked for."""

from __future__ import annotations

from typing import Any

import pytest

from help.callers import Caller
from help.eras import both_eras, virtual_time
from help.inside import items
from help.seeded import NEW, SPACE, TESLA, Json
from quantinal_mcp.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio

UPLOADS: list[tuple[str, Json]] = [
    ("upload_vault_json", {"tracker_id": TESLA, "source_name": "rows", "data": [{"n": 1}, {"n": 2}]}),
    ("upload_vault_json", {"tracker_id": TESLA, "source_name": "earnings-data", "data": {"n": 1}}),
    ("upload_vault_file", {"tracker_id": TESLA, "filename": "n.txt", "content": "one\n\ntwo"}),
    (
        "upload_vault_file",
        {"tracker_id": TESLA, "filename": "n.txt", "content": "one", "source_name": "deliveries.csv"},
    ),
]
ARRIVED = ("drop_after", "half", "act_then_status", "hang_after")


@virtual_time
@pytest.mark.parametrize(
    ("tool", "arguments", "rows"), [(*one, rows) for one, rows in zip(UPLOADS, (2, 1, 2, 1), strict=True)]
)
@pytest.mark.parametrize("kind", ARRIVED)
async def test_an_upload_that_arrived_though_its_answer_was_lost_is_a_success(
    call: Caller, sandbox: Sandbox, tool: str, arguments: Json, rows: int, kind: Any
) -> None:
    before = sum(map(len, items(sandbox, TESLA).values()))
    sandbox.faults.add(Fault("POST", "/sources$", kind, code=502, body="<html>", seconds=100))
    done = await call(tool, **arguments)
    assert "answer was lost" in done["note"]
    assert done["name"] == arguments.get("source_name", "n.txt")
    assert sandbox.count("POST", "/sources$") == 1
    assert sum(map(len, items(sandbox, TESLA).values())) == before + rows


@virtual_time
@pytest.mark.parametrize(("tool", "arguments"), UPLOADS)
@pytest.mark.parametrize("kind", ["drop_before", "status"])
async def test_an_upload_of_which_nothing_is_seen_is_of_unknown_outcome(
    call: Caller, sandbox: Sandbox, tool: str, arguments: Json, kind: Any
) -> None:
    before = items(sandbox, TESLA)
    sandbox.faults.add(Fault("POST", "/sources$", kind, code=502, body="<html>"))
    text = await call.fails(tool, "outcome_unknown", **arguments)
    assert f"list_vault_sources(tracker_id={TESLA})" in text
    assert "twice" in text
    assert sandbox.count("POST", "/sources$") == 1
    assert items(sandbox, TESLA) == before


@virtual_time
async def test_an_upload_is_of_unknown_outcome_where_the_sources_cannot_be_read(call: Caller, sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("POST", "/sources$", "drop_after"), Fault("GET", "/sources$", "status", None))
    text = await call.fails("upload_vault_json", "outcome_unknown", **UPLOADS[0][1])
    assert "could not be read" in text


@virtual_time
@pytest.mark.parametrize("kind", ["refuse", "status"])
async def test_an_upload_that_was_certainly_not_taken_is_sent_again(call: Caller, sandbox: Sandbox, kind: Any) -> None:
    sandbox.faults.add(Fault("POST", "/sources$", kind, 2, code=429))
    done = await call("upload_vault_json", **UPLOADS[0][1])
    assert "note" not in done
    assert sandbox.count("POST", "/sources$") == 3
    assert len(items(sandbox, TESLA)["rows"]) == 2


def created(sandbox: Sandbox) -> list[str]:
    return [one.tracker_id for one in sandbox.world.account().in_space(SPACE) if one.settings["name"] == "New"]


@virtual_time
@both_eras
@pytest.mark.parametrize("kind", ARRIVED)
async def test_a_tracker_created_though_its_answer_was_lost_is_found(call: Caller, sandbox: Sandbox, kind: Any) -> None:
    sandbox.faults.add(Fault("POST", "/trackers$", kind, code=502, body="<html>", seconds=100))
    made = await call("create_tracker", **NEW)
    assert "answer was lost" in made["note"]
    assert [made["tracker_id"]] == created(sandbox)
    assert made["next_step"].startswith(f"estimate_run_cost(tracker_id={made['tracker_id']})")
    assert sandbox.count("POST", "/trackers$") == 1


@virtual_time
@pytest.mark.parametrize("kind", ["drop_before", "status"])
async def test_a_create_of_which_nothing_is_seen_is_of_unknown_outcome(
    call: Caller, sandbox: Sandbox, kind: Any
) -> None:
    sandbox.faults.add(Fault("POST", "/trackers$", kind, code=502, body="<html>"))
    text = await call.fails("create_tracker", "outcome_unknown", **NEW)
    assert f"list_trackers(space_id={SPACE})" in text
    assert "0 trackers like it" in text
    assert sandbox.count("POST", "/trackers$") == 1
    assert created(sandbox) == []


@virtual_time
async def test_a_create_that_cannot_be_told_from_an_older_one_is_of_unknown_outcome(
    call: Caller, sandbox: Sandbox
) -> None:
    await call("create_tracker", **NEW)
    sandbox.faults.add(Fault("POST", "/trackers$", "drop_after"))
    assert "2 trackers like it" in await call.fails("create_tracker", "outcome_unknown", **NEW)


@virtual_time
async def test_a_create_that_did_not_arrive_is_not_taken_for_an_older_one_of_its_name(
    call: Caller, sandbox: Sandbox
) -> None:
    await call("create_tracker", **{**NEW, "description": "An older one"})
    sandbox.faults.add(Fault("POST", "/trackers$", "drop_before"))
    await call.fails("create_tracker", "outcome_unknown", **NEW)
