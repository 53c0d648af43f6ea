"""update_tracker: partial configurations, clearing, nulls, and updates that follow each other."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import anyio
import pytest

from help.callers import Caller, Overheard, Questions, connected, tracker_of
from help.eras import Mode, both_eras, virtual_time
from help.seeded import AGENT, CALLS, DAILY, PORTFOLIO, SEMIS, SOURCE, TESLA, UNUSED, Json, lines_of
from quantinal_mcp.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio


async def test_a_partial_configuration_is_completed_from_the_tracker(call: Caller, sandbox: Sandbox) -> None:
    before = dict(tracker_of(sandbox, PORTFOLIO).agent_config)
    after = await call("update_tracker", tracker_id=PORTFOLIO, agent_config={"score_meaning": "Danger"})
    assert after["agent_config"] == {**before, "score_meaning": "Danger"}


async def test_fields_of_the_configuration_that_nobody_documented_are_sent_back(sandbox: Sandbox) -> None:
    tracker = tracker_of(sandbox)
    tracker.settings["agent_config"] = {**tracker.agent_config, "temperature": 0.5, "tools": {"zen": [1, True]}}
    before = dict(tracker.agent_config)
    way = Overheard(sandbox)
    async with connected(sandbox, way=way) as call:
        await call("update_tracker", tracker_id=TESLA, agent_config={"score_meaning": "Mine"})
    assert way.bodies == [{"agent_config": {**before, "score_meaning": "Mine"}}]


UNSEEN = "Read 👩\u200d🔬 and ❤\ufe0f; می\u200cخواهم \u200fעברית\r\nqapi_sandbox \u202e\x00\u2028\U000e0041 end "
"""Emoji joiners and selectors, ZWNJ, RLM, CR, and what no reader is shown."""


@both_eras
async def test_what_an_update_did_not_touch_is_sent_back_byte_for_byte(sandbox: Sandbox, mode: Mode) -> None:
    tracker = tracker_of(sandbox)
    tracker.settings["agent_config"] = {**tracker.agent_config, "instruction": UNSEEN, f"new{UNSEEN}": [UNSEEN, 0.1]}
    tracker.settings["notification_config"] = {"score_threshold": 20, "channel": UNSEEN}
    before = dict(tracker.settings)
    way = Overheard(sandbox)
    async with connected(sandbox, mode=mode, way=way) as call:
        await call(
            "update_tracker",
            tracker_id=TESLA,
            agent_config={"score_meaning": "Mine"},
            notification_config={"email_enabled": True},
        )
    [body] = way.bodies
    assert body["agent_config"] == {**before["agent_config"], "score_meaning": "Mine"}
    assert body["notification_config"] == {**before["notification_config"], "email_enabled": True}


@both_eras
@pytest.mark.parametrize(
    ("changes", "sent"),
    [
        ({"schedule": {"end_time": "2030-01-01T09:00:00Z"}}, {"end_time": "2030-01-01T09:00:00Z"}),
        ({"clear_fields": ["schedule.end_time"]}, {"end_time": None}),
    ],
)
async def test_a_whole_number_is_sent_back_whole(sandbox: Sandbox, mode: Mode, changes: Json, sent: Json) -> None:
    before = dict(tracker_of(sandbox, SEMIS).settings["schedule"])
    way = Overheard(sandbox)
    async with connected(sandbox, mode=mode, way=way, user=Questions()) as call:
        await call("update_tracker", tracker_id=SEMIS, **changes)
    [body] = way.bodies
    assert body["schedule"] == {**before, **sent}
    assert isinstance(body["schedule"]["interval_minutes"], int)  # 1440.0 would be equal, and refused


async def test_partial_notifications_are_completed_too(call: Caller, sandbox: Sandbox) -> None:
    after = await call("update_tracker", tracker_id=TESLA, notification_config={"webhook_enabled": True})
    assert after["notification_config"] == {"score_threshold": 20, "email_enabled": True, "webhook_enabled": True}
    first = await call("update_tracker", tracker_id=UNUSED, notification_config={"score_threshold": 5})
    assert first["notification_config"]["score_threshold"] == 5


async def test_a_rename_reads_nothing_first(call: Caller, sandbox: Sandbox) -> None:
    await call("update_tracker", tracker_id=TESLA, name="T", description="D")
    assert [one.method for one in sandbox.requests] == ["PATCH"]
    kept = tracker_of(sandbox).settings
    assert (kept["name"], kept["description"]) == ("T", "D")


@virtual_time
@pytest.mark.parametrize("number", [2, 5])
async def test_updates_of_one_tracker_at_once_all_survive(call: Caller, sandbox: Sandbox, number: int) -> None:
    changes: list[dict[str, Any]] = [
        {"agent_config": {"instruction": "Changed."}},
        {"agent_config": {"score_meaning": "Changed"}},
        {"agent_config": {"reasoning_mode": "advanced"}},
        {"agent_config": {"skills": ["web"]}},
        {"notification_config": {"score_threshold": 77}},
    ]
    sandbox.faults.add(Fault("PATCH", TESLA, "hang_before", None, seconds=0.1))

    async def change(one: dict[str, Any]) -> None:
        await call("update_tracker", tracker_id=TESLA, **one)

    async with anyio.create_task_group() as tasks:
        for one in changes[:number]:
            tasks.start_soon(change, one)
    for one in changes[:number]:
        for part, fields in one.items():
            kept = tracker_of(sandbox).settings[part]
            assert kept.items() >= fields.items()
            assert len(kept) >= 3


@virtual_time
@both_eras
async def test_a_change_by_others_while_the_user_thinks_is_kept(sandbox: Sandbox, mode: Mode) -> None:
    def somebody_else_changes_it() -> None:
        tracker = tracker_of(sandbox)
        config = {**tracker.agent_config, "instruction": "By others."}
        tracker.settings = {**tracker.settings, "agent_config": config}

    user = Questions(before_answering=somebody_else_changes_it)
    slow = {"schedule": {**DAILY, "interval_minutes": 60}, "run_mode": "scheduled"}
    async with connected(sandbox, mode, user=user) as call:
        after = await call("update_tracker", tracker_id=TESLA, agent_config={"score_meaning": "Mine"}, **slow)
    assert len(user.asked) == 1
    assert after["agent_config"]["instruction"] == "By others."
    assert after["agent_config"]["score_meaning"] == "Mine"


@both_eras
async def test_a_schedule_is_cleared_with_its_mode(call: Caller, sandbox: Sandbox) -> None:
    after = await call("update_tracker", tracker_id=SEMIS, run_mode="manual", clear_fields=["schedule"])
    assert "schedule" not in after
    assert tracker_of(sandbox, SEMIS).settings["schedule"] is None


async def test_a_scheduled_tracker_cannot_lose_its_schedule_alone(call: Caller, sandbox: Sandbox) -> None:
    text = await call.fails("update_tracker", "invalid_request", tracker_id=SEMIS, clear_fields=["schedule"])
    assert "run_mode=manual" in text
    await call.fails("update_tracker", "invalid_request", tracker_id=TESLA, run_mode="scheduled")
    assert sandbox.count("PATCH", "/") == 0


async def test_a_tracker_goes_back_to_its_own_vault(call: Caller, sandbox: Sandbox) -> None:
    await call("update_tracker", tracker_id=UNUSED, shared_vault_tracker_id=TESLA)
    assert tracker_of(sandbox, UNUSED).settings["shared_vault_tracker_id"] == TESLA
    await call("update_tracker", tracker_id=UNUSED, clear_fields=["shared_vault_tracker_id"])
    assert tracker_of(sandbox, UNUSED).settings["shared_vault_tracker_id"] is None


@both_eras
@pytest.mark.parametrize("field", ["schedule", "shared_vault_tracker_id"])
async def test_a_null_that_might_have_meant_clear_clears_nothing_and_says_how(
    call: Caller, sandbox: Sandbox, field: str
) -> None:
    before = dict(tracker_of(sandbox, SEMIS).settings)
    after = await call("update_tracker", tracker_id=SEMIS, name="Chips", **{field: None})
    assert f'clear_fields=["{field}"]' in after["note"]
    assert tracker_of(sandbox, SEMIS).settings == {**before, "name": "Chips"}
    only = await call.refused("update_tracker", tracker_id=SEMIS, **{field: None})
    assert f'clear_fields=["{field}"]' in only


async def test_a_null_that_could_not_clear_leaves_no_note(call: Caller) -> None:
    assert "note" not in await call("update_tracker", tracker_id=TESLA, name="T", description=None)


async def test_an_update_of_nothing_is_refused(call: Caller) -> None:
    nothings: tuple[Json, ...] = ({}, {"name": None}, {"clear_fields": []})
    for nothing in nothings:
        assert "Nothing to change" in await call.refused("update_tracker", tracker_id=TESLA, **nothing)
    where = {"tracker_id": TESLA, "source_id": SOURCE}
    assert "Nothing to change" in await call.refused("update_vault_source", **where)
    assert 'an empty one ("")' in await call.refused("update_vault_source", **where, description=None)


@both_eras
@pytest.mark.parametrize(
    ("tool", "given", "said"),
    [
        ("update_tracker", {"name": ""}, "name is empty, which counts as not given."),
        ("update_tracker", {"agent_config": {"instruction": ""}}, "agent_config.instruction is empty, which counts"),
        ("update_vault_source", {"source_id": SOURCE, "name": ""}, "name is empty, which counts as not given."),
        ("upload_vault_file", {"filename": "a.txt", "content": ""}, "content is empty, which counts as not given."),
        ("upload_vault_json", {"source_name": "", "data": {"a": 1}}, "source_name is empty; it takes a text"),
        ("create_tracker", lines_of(name=""), "name is empty; it takes a text of 1 to 50 characters"),
        (
            "create_tracker",
            lines_of(agent_config={**AGENT, "instruction": ""}),
            "agent_config.instruction is empty; it takes a text of 1 to 1000 characters",
        ),
        ("get_tracker", {"tracker_id": ""}, "tracker_id is empty: get_overview gives it"),
    ],
)
async def test_what_is_given_and_empty_is_said_to_be_empty(call: Caller, tool: str, given: Json, said: str) -> None:
    where = {} if tool == "create_tracker" else {"tracker_id": TESLA}
    text = await call.refused(tool, **{**where, **given})
    assert said in text
    assert "Nothing was sent" in text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"shared_vault_tracker_id": TESLA},
            "shared_vault_tracker_id is this tracker itself. Nothing was sent;",
        ),
        (
            {"agent_config": {"linked_trackers": [SEMIS, TESLA]}},
            "linked_trackers holds this tracker itself.",
        ),
        ({"schedule": "daily"}, "schedule must be an object with start_time, interval_minutes, end_time."),
    ],
)
async def test_an_update_that_cannot_be_is_refused_before_anything_is_sent(
    call: Caller, changes: Json, said: str
) -> None:
    text = await call.refused("update_tracker", tracker_id=TESLA, **changes)
    assert said in text
    assert "It is now" not in text


async def test_a_schedule_is_cleared_by_the_call_that_is_advised(call: Caller, sandbox: Sandbox) -> None:
    alone = await call.fails("update_tracker", "invalid_request", tracker_id=SEMIS, clear_fields=["schedule"])
    nulled = await call.refused("update_tracker", tracker_id=SEMIS, schedule=None)
    assert 'give run_mode=manual with clear_fields=["schedule"]' in alone
    assert "Nothing was sent" in alone
    assert 'clear_fields=["schedule"] and run_mode=manual' in nulled
    assert "It is now" not in alone + nulled
    await call("update_tracker", tracker_id=SEMIS, clear_fields=["schedule"], run_mode="manual")
    assert tracker_of(sandbox, SEMIS).settings["schedule"] is None


@pytest.mark.parametrize(
    ("schedule", "said"),
    [
        (
            {"interval_minutes": 60},
            "Give schedule.start_time, like 2026-11-25T19:00:00Z, too: there is no",
        ),
        ({"start_time": "2026-12-01T00:00:00Z"}, "Give schedule.interval_minutes, like 1440 for daily, too: there"),
    ],
)
async def test_half_a_schedule_where_there_is_none_is_answered_with_the_other_half(
    sandbox: Sandbox, schedule: Json, said: str
) -> None:
    async with connected(sandbox, now=datetime(2026, 11, 25, 18, 7, tzinfo=UTC)) as call:
        text = await call.fails("update_tracker", "invalid_request", tracker_id=TESLA, schedule=schedule)
    assert said in text
    assert "Nothing was sent." in text
    assert ("It is now 2026-11-25T18:07Z." in text) == ("start_time" in said)


async def test_a_null_description_of_a_source_is_answered_with_how_to_clear(call: Caller) -> None:
    after = await call("update_vault_source", **{**CALLS["update_vault_source"], "description": None})
    assert 'an empty one ("")' in after["note"]
    assert "note" not in await call("update_vault_source", **CALLS["update_vault_source"])


@virtual_time
@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "half", "hang_after"])
async def test_an_update_whose_answer_is_lost_is_sent_again(call: Caller, sandbox: Sandbox, kind: Any) -> None:
    sandbox.faults.add(Fault("PATCH", "/api/", kind, seconds=20))
    after = await call("update_tracker", tracker_id=TESLA, name="T")
    assert after["name"] == tracker_of(sandbox).settings["name"] == "T"
    assert sandbox.count("PATCH", TESLA) == 2
