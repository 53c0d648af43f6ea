"""The service's own words in an error: read in every form, kept, and told as the call that does it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from help.callers import Caller, tracker_of
from help.inside import failing
from help.seeded import AGENT, CALLS, RUN, SEMIS, TESLA, lines_of
from quantinal_mcp.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio


async def test_a_404_in_other_words_keeps_them_and_is_not_taken_for_another_ids(call: Caller, sandbox: Sandbox) -> None:
    failing(sandbox, 404, body=json.dumps({"detail": "Tracker trk_other not found"}))
    text = await call.fails("get_tracker", "not_found", tracker_id=TESLA)
    assert "Tracker trk_other not found." in text
    assert TESLA not in text
    sandbox.faults.clear()
    failing(sandbox, 404, body=json.dumps({"detail": f"Tracker '{TESLA}' not found"}))
    assert f"There is no tracker {TESLA}." in await call.fails("get_tracker", "not_found", tracker_id=TESLA)
    sandbox.faults.clear()
    failing(sandbox, 404, body=json.dumps({"detail": "Not Found"}))  # what a path is answered with that there is not
    text = await call.fails("get_run", "not_found", tracker_id=TESLA, run_id=RUN)
    assert "check QUANTINAL_BASE_URL" in text
    assert "lists what there is" not in text


async def test_a_tracker_whose_vault_is_shared_cannot_be_deleted(call: Caller, sandbox: Sandbox) -> None:
    await call("create_tracker", **lines_of(name="Guest", shared_vault_tracker_id=TESLA))
    text = await call.fails("delete_tracker", "conflict", tracker_id=TESLA, confirm_name="Tesla Sentiment")
    assert 'shared by "Guest"' in text
    assert tracker_of(sandbox)


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("create_tracker", lines_of(agent_config={**AGENT, "skills": ["nope"]}), "nope"),
        ("create_tracker", lines_of(agent_config={**AGENT, "linked_trackers": ["trk_none"]}), "trk_none"),
        ("update_tracker", {"tracker_id": TESLA, "shared_vault_tracker_id": "trk_none"}, "trk_none"),
        ("update_vault_source", {**CALLS["update_vault_source"], "name": "deliveries.csv"}, "already named"),
        ("upload_vault_file", {"tracker_id": TESLA, "filename": "a.csv", "content": 'a,b\n"1'}, "file: "),
        ("upload_vault_file", {"tracker_id": TESLA, "filename": "a.pdf", "content": "no pdf"}, "file: "),
    ],
)
async def test_what_only_the_service_knows_to_be_wrong_is_told_in_its_words_and_that_nothing_came_of_it(
    call: Caller, tool: str, arguments: dict[str, Any], said: str
) -> None:
    text = await call.fails(tool, "invalid_request", **arguments)
    assert said in text
    assert text.count("Nothing was ") == 1


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"detail": [{"loc": ["body", "name"], "msg": "too long", "type": "x"}]}, "name: too long"),
        ({"detail": [{"loc": ["query", "page"], "msg": "bad"}, {"msg": "odd"}, "plain"]}, "page: bad; odd; plain"),
        ({"message": "in words"}, "in words"),
        ({"detail": {"a": 1}}, "{'a': 1}"),
        ([1, 2], "HTTP 422"),
        ({"detail": None}, "HTTP 422"),
        ({"detail": "x" * 5000}, "x…"),
    ],
)
async def test_every_form_of_detail_is_read(call: Caller, sandbox: Sandbox, body: Any, said: str) -> None:
    failing(sandbox, 422, body=json.dumps(body))
    assert said in await call.fails("list_spaces", "invalid_request")


async def test_the_services_own_words_are_rewritten_to_the_call_that_does_it(call: Caller, sandbox: Sandbox) -> None:
    said = "its vault is shared by 1 other tracker(s): ['trk_x']. They must set shared_vault_tracker_id to null first."
    body = json.dumps({"detail": f"Cannot delete tracker: {said}"})
    sandbox.faults.add(Fault("DELETE", "/trackers/", "status", code=409, body=body))
    text = await call.fails("delete_tracker", "conflict", tracker_id=TESLA, confirm_name="Tesla Sentiment")
    assert "null" not in text
    assert 'They must be changed first: update_tracker(tracker_id=…, clear_fields=["shared_vault_tracker_id"])' in text
    body = json.dumps({"detail": "A tracker cannot share its own vault; set shared_vault_tracker_id to null"})
    sandbox.faults.add(Fault("PATCH", "/trackers/", "status", code=400, body=body))
    own = await call.fails("update_tracker", "invalid_request", tracker_id=TESLA, shared_vault_tracker_id=SEMIS)
    assert "null" not in own
    assert 'update_tracker with clear_fields=["shared_vault_tracker_id"]' in own


async def test_the_words_of_a_library_do_not_come_out_of_the_service_either(call: Caller, sandbox: Sandbox) -> None:
    messages = [
        "Field required",
        "Input should be a valid string",
        "Value error, odd",
        "Extra inputs are not permitted",
    ]
    failing(sandbox, 422, body=json.dumps({"detail": [{"loc": ["body", "x"], "msg": one} for one in messages]}))
    text = await call.fails("list_spaces", "invalid_request")
    assert text.startswith("[invalid_request] x: is missing; x: should be a string; x: odd; x: is unknown.")
