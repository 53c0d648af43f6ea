"""Schedules, which spend by themselves, and deletes, which cannot be undone: the user is asked first."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from mcp.client.session import ClientRequestContext
from mcp_types import ElicitRequestParams, ElicitResult

from help.callers import Caller, Questions, connected, tracker_of
from help.eras import Mode, both_eras, virtual_time
from help.seeded import AGENT, CALLS, DAILY, PORTFOLIO, RUN, SEMIS, SOURCE, SPACE, TESLA, UNUSED, Json, lines_of
from quantinal_mcp.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio

HOURLY: Json = {**DAILY, "interval_minutes": 60}
SCHEDULED: Json = lines_of(run_mode="scheduled", schedule=HOURLY)


def changes_nothing(sandbox: Sandbox) -> bool:
    return all(sandbox.count(method, "/") == 0 for method in ("POST", "PATCH", "DELETE"))


async def test_a_schedule_states_what_it_will_spend(call: Caller) -> None:
    made = await call("create_tracker", **SCHEDULED, max_quants_per_day=0.288)
    cost = made["schedule_cost"]
    assert cost["quants_per_run"] == 0.012
    assert cost["runs_per_day"] == 24
    assert (cost["quants_per_day"], cost["quants_per_30_days"]) == (0.288, 8.64)
    assert cost["basis"].startswith("formula")
    assert made["next_run_at"] == "2030-01-01T09:00:00Z"


async def test_an_update_that_starts_a_schedule_states_it_from_past_runs(call: Caller) -> None:
    after = await call("update_tracker", tracker_id=TESLA, run_mode="scheduled", schedule=DAILY)
    assert after["schedule_cost"]["quants_per_run"] == 0.02
    assert after["schedule_cost"]["quants_per_day"] == 0.02
    assert after["schedule_cost"]["basis"].startswith("history")


@both_eras
async def test_the_user_is_asked_before_a_dear_schedule_begins(sandbox: Sandbox, mode: Mode) -> None:
    user = Questions()
    async with connected(sandbox, mode=mode, user=user) as call:
        await call("create_tracker", **SCHEDULED)
        await call("update_tracker", tracker_id=TESLA, run_mode="scheduled", schedule=HOURLY)
    assert user.asked == [
        'Let tracker "New" run by itself 24 times a day? '
        "A run costs about 0.012 quants, a day about 0.288 quants, 30 days about 8.64.",
        'Let tracker "Tesla Sentiment" run by itself 24 times a day? '
        "A run costs about 0.02 quants, a day about 0.48 quants, 30 days about 14.4.",
    ]


@both_eras
@pytest.mark.parametrize(
    ("user", "code"),
    [
        (Questions("decline"), "declined"),
        (Questions("cancel"), "needs_consent"),
        (Questions(content={"confirm": False}), "declined"),
        (Questions(content={"confirm": "yes"}), "needs_consent"),
        (Questions(content={}), "needs_consent"),
        (Questions(content=None), "needs_consent"),
    ],
)
async def test_anything_but_a_clear_yes_sends_nothing(sandbox: Sandbox, mode: Mode, user: Questions, code: str) -> None:
    async with connected(sandbox, mode=mode, user=user) as call:
        for tool, arguments in (
            ("create_tracker", SCHEDULED),
            ("update_tracker", {"tracker_id": TESLA, "run_mode": "scheduled", "schedule": HOURLY}),
            ("delete_tracker", {"tracker_id": TESLA}),
            ("delete_run", CALLS["delete_run"]),
            ("delete_vault_source", CALLS["delete_vault_source"]),
        ):
            text = await call.fails(tool, code, **arguments)
            assert "othing was sent" in text
            assert ("Do not ask again" in text) == (code == "declined")
    assert changes_nothing(sandbox)


async def test_a_schedule_that_costs_little_is_not_asked_about(sandbox: Sandbox) -> None:
    user = Questions()
    async with connected(sandbox, user=user) as call:
        await call("create_tracker", **lines_of(run_mode="scheduled", schedule=DAILY))
        await call("create_tracker", **lines_of(name="Other"))
    assert user.asked == []


@pytest.mark.parametrize(
    ("changes", "is_asked", "is_stated"),
    [
        ({"schedule": HOURLY}, True, True),
        ({"schedule": {"interval_minutes": 60}}, True, True),
        ({"agent_config": {"reasoning_mode": "super"}}, True, True),
        ({"agent_config": {"skills": ["financial_markets", "web", "social_media", "reviews"]}}, True, True),
        ({"agent_config": {"linked_trackers": [TESLA]}}, True, True),
        ({"schedule": {"interval_minutes": 2880}}, False, True),
        ({"agent_config": {"skills": ["web"]}}, False, True),
        ({"agent_config": {"instruction": "Read."}}, False, True),
        ({"notification_config": {"email_enabled": False}}, False, False),
        ({"name": "Chips"}, False, False),
        ({"run_mode": "manual"}, False, False),
    ],
)
async def test_what_makes_a_schedule_dearer_or_more_frequent_is_asked_about(
    sandbox: Sandbox, changes: Json, is_asked: bool, is_stated: bool
) -> None:
    user = Questions()
    async with connected(sandbox, user=user) as call:
        after = await call("update_tracker", tracker_id=SEMIS, **changes)
    assert len(user.asked) == is_asked
    assert ("schedule_cost" in after) == is_stated


async def test_a_schedule_of_unknown_cost_says_so(sandbox: Sandbox) -> None:
    user = Questions()
    linked = {**AGENT, "linked_trackers": [TESLA]}
    async with connected(sandbox, user=user) as call:
        made = await call("create_tracker", **{**SCHEDULED, "agent_config": linked})
    assert "a day an unknown amount" in user.asked[0]
    assert made["schedule_cost"]["unknowns"]
    assert "quants_per_day" not in made["schedule_cost"]


@both_eras
async def test_a_scheduled_run_above_the_ceiling_is_refused(sandbox: Sandbox, mode: Mode) -> None:
    user = Questions()
    async with connected(sandbox, mode=mode, user=user, max_quants_per_run=0.01) as call:
        text = await call.fails("create_tracker", "over_budget", **SCHEDULED)
        assert "QUANTINAL_MAX_QUANTS_PER_RUN" in text
        await call.fails("update_tracker", "over_budget", tracker_id=TESLA, run_mode="scheduled", schedule=HOURLY)
        await call.fails("update_tracker", "over_budget", tracker_id=SEMIS, agent_config={"reasoning_mode": "super"})
        assert changes_nothing(sandbox)
        await call("update_tracker", tracker_id=SEMIS, run_mode="manual", clear_fields=["schedule"])
    assert user.asked == []


@both_eras
async def test_a_delete_names_what_goes_before_it_goes(sandbox: Sandbox, mode: Mode) -> None:
    user = Questions()
    async with connected(sandbox, mode=mode, user=user) as call:
        read = await call("get_run", tracker_id=TESLA, run_id=RUN)
        await call("update_run_comment", tracker_id=TESLA, run_id=RUN, comment='so "it" is')
        await call("delete_run", tracker_id=TESLA, run_id=RUN)
        await call("delete_vault_source", tracker_id=TESLA, source_id=SOURCE)
        await call("delete_tracker", tracker_id=TESLA)
    run, source, tracker = user.asked
    day, minute, score = read["started_at"][:10], read["started_at"][11:16], read["result"]["score"]
    assert run == (
        f"Delete the run of {day} {minute} UTC (score {score:g}, comment \"so 'it' is\") of tracker "
        '"Tesla Sentiment" and its result? It cannot be undone.'
    )
    assert source == 'Delete vault source "earnings-data" and all its data (3 rows)? It cannot be undone.'
    assert tracker == 'Delete tracker "Tesla Sentiment" with its schedule, its vault and 119 runs? It cannot be undone.'
    assert TESLA not in sandbox.world.account().trackers


async def test_deleting_a_tracker_that_another_links_says_who_loses_it(sandbox: Sandbox) -> None:
    user = Questions("decline")
    linked = tracker_of(sandbox, PORTFOLIO).agent_config["linked_trackers"][0]
    async with connected(sandbox, user=user) as call:
        await call.fails("delete_tracker", "declined", tracker_id=linked)
    assert '"Portfolio Risk Monitor" loses it as context' in user.asked[0]


async def test_deleting_a_run_that_goes_on_says_that_it_goes_on(sandbox: Sandbox) -> None:
    run = sandbox.begin_run(TESLA)["run_id"]
    user = Questions()
    async with connected(sandbox, user=user) as call:
        await call("delete_run", tracker_id=TESLA, run_id=run)
    assert "score" not in user.asked[0]
    assert "It has not ended, and deleting it does not stop it." in user.asked[0]


async def test_a_shared_vault_is_said_before_the_user_is_asked_in_vain(sandbox: Sandbox) -> None:
    user = Questions()
    async with connected(sandbox, user=user) as call:
        for name in ("Zebra", "Ant"):
            await call("create_tracker", **lines_of(name=name, shared_vault_tracker_id=TESLA))
        text = await call.fails("delete_tracker", "conflict", tracker_id=TESLA)
    assert 'Its vault is shared by "Ant", "Zebra", so it cannot be deleted' in text
    assert 'clear_fields=["shared_vault_tracker_id"]' in text
    assert user.asked == []
    assert sandbox.count("DELETE", "/") == 0


@both_eras
async def test_a_vault_that_is_shared_with_another_space_is_said_too(sandbox: Sandbox, mode: Mode) -> None:
    user = Questions("decline")
    async with connected(sandbox, mode=mode, user=user) as call:
        other = next(space["space_id"] for space in (await call("list_spaces"))["data"] if space["space_id"] != SPACE)
        far = await call("create_tracker", **lines_of(name="Far", space_id=other, shared_vault_tracker_id=TESLA))
        assert 'shared by "Far"' in await call.fails("delete_tracker", "conflict", tracker_id=TESLA)
        await call.fails("delete_vault_source", "declined", tracker_id=TESLA, source_id=SOURCE)
        assert user.asked[0].endswith('The vault is used by "Far" too.')
        await call.fails("delete_vault_source", "declined", tracker_id=far["tracker_id"], source_id=SOURCE)
        assert user.asked[1].endswith('The vault is used by "Tesla Sentiment" too.')


@both_eras
@pytest.mark.parametrize(
    ("tool", "also"), [("delete_tracker", "its vault and all runs; "), ("delete_vault_source", "(3 rows)? ")]
)
async def test_a_delete_says_what_could_not_be_read_of_it(sandbox: Sandbox, mode: Mode, tool: str, also: str) -> None:
    user = Questions("decline")
    refused = Fault("GET", r"/trackers$", "status", code=403, body='{"detail": "No"}', skip=1)
    uncounted = Fault("GET", r"/runs$", "status", code=200, body='{"data": []}', times=None)
    sandbox.faults.add(refused, uncounted)
    async with connected(sandbox, mode=mode, user=user) as call:
        await call.fails(tool, "declined", **CALLS[tool])
    assert also in user.asked[0]
    assert "1 spaces could not be read ([forbidden]): spc_" in user.asked[0]


async def test_of_many_that_share_a_vault_five_are_named(sandbox: Sandbox) -> None:
    async with connected(sandbox) as call:
        for name in "GFEDCBA":
            await call("create_tracker", **lines_of(name=name, shared_vault_tracker_id=TESLA))
        text = await call.fails("delete_tracker", "conflict", tracker_id=TESLA)
    assert 'shared by "A", "B", "C", "D", "E" and 2 more, so' in text


@both_eras
async def test_a_client_that_cannot_ask_confirms_by_the_exact_name(call: Caller, sandbox: Sandbox) -> None:
    text = await call.fails("delete_tracker", "needs_consent", tracker_id=TESLA)
    assert "confirm_name" in text
    assert '"Tesla Sentiment"' in text
    for wrong in ("tesla sentiment", "Tesla Sentiment ", "", TESLA):
        await call.fails("delete_tracker", "needs_consent", tracker_id=TESLA, confirm_name=wrong)
    assert changes_nothing(sandbox)
    assert await call("delete_tracker", tracker_id=TESLA, confirm_name="Tesla Sentiment")


async def test_a_client_that_can_ask_asks_although_the_name_was_given(sandbox: Sandbox) -> None:
    user = Questions("decline")
    async with connected(sandbox, user=user) as call:
        await call.fails("delete_tracker", "declined", tracker_id=TESLA, confirm_name="Tesla Sentiment")
        await call.fails("delete_tracker", "needs_consent", tracker_id=TESLA, confirm_name="Other")
    assert len(user.asked) == 1
    assert changes_nothing(sandbox)


@pytest.mark.parametrize("user", [None, Questions("decline")])
async def test_an_operator_may_turn_confirmation_off(sandbox: Sandbox, user: Questions | None) -> None:
    async with connected(sandbox, user=user, confirm_deletes=False) as call:
        await call.fails("delete_tracker", "needs_consent", tracker_id=UNUSED, confirm_name="Other")
        for tool, arguments in (
            ("delete_run", CALLS["delete_run"]),
            ("delete_vault_source", CALLS["delete_vault_source"]),
            ("delete_tracker", {"tracker_id": TESLA}),
            ("delete_tracker", {"tracker_id": PORTFOLIO, "confirm_name": "Portfolio Risk Monitor"}),
        ):
            assert await call(tool, **arguments)
    assert user is None or user.asked == []


@virtual_time
@pytest.mark.parametrize("tool", ["delete_run", "delete_vault_source", "delete_tracker"])
@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "half", "hang_after", "act_then_status"])
async def test_a_delete_whose_answer_was_lost_is_a_success_once_it_is_gone(
    call: Caller, sandbox: Sandbox, tool: str, kind: Any
) -> None:
    sandbox.faults.add(Fault("DELETE", "/api/", kind, code=502, body="<html>", seconds=20))
    assert (await call(tool, **CALLS[tool]))["success"] is True
    assert sandbox.count("DELETE", "/") == 2
    gone = tool.replace("delete", "get")
    await call.fails(gone, "not_found", **CALLS[gone])


async def test_a_delete_of_what_was_not_there_is_not_found(call: Caller, sandbox: Sandbox) -> None:
    await call("delete_run", **CALLS["delete_run"])
    await call.fails("delete_run", "not_found", **CALLS["delete_run"])
    assert sandbox.count("DELETE", "/") == 1


async def test_each_call_is_asked_about_anew(sandbox: Sandbox) -> None:
    user = Questions()
    async with connected(sandbox, user=user) as call:
        for number in range(2):
            await call("create_tracker", **{**SCHEDULED, "name": f"New {number}"})
    assert len(user.asked) == 2
    assert len([one for one in sandbox.world.account().in_space(SPACE) if one.settings["name"].startswith("New")]) == 2


async def test_a_tracker_as_scheduled_is_kept_as_agreed(sandbox: Sandbox) -> None:
    async with connected(sandbox, user=Questions()) as call:
        made = await call("create_tracker", **SCHEDULED)
    kept = tracker_of(sandbox, made["tracker_id"]).settings
    assert (kept["run_mode"], kept["schedule"]["interval_minutes"]) == ("scheduled", 60)


@virtual_time
async def test_a_question_that_nobody_answers_is_held_for_ten_minutes(sandbox: Sandbox) -> None:
    async def never(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        await anyio.sleep_forever()
        raise AssertionError

    async with connected(sandbox, mode="legacy", user=never) as call:
        started = anyio.current_time()
        text = await call.fails("trigger_run", "needs_consent", tracker_id=PORTFOLIO)
        assert 600 <= anyio.current_time() - started < 660
    assert "Nothing was sent" in text
    assert changes_nothing(sandbox)
