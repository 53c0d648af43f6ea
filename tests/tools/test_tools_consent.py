"""Schedules, which spend by themselves: what they will spend is stated, and the user is asked first."""

from __future__ import annotations

import anyio
import pytest
from mcp.client.session import ClientRequestContext
from mcp_types import ElicitRequestParams, ElicitResult

from help.callers import Caller, Questions, connected, tracker_of
from help.eras import Mode, both_eras, virtual_time
from help.inside import changes_nothing
from help.seeded import AGENT, CALLS, DAILY, PORTFOLIO, SEMIS, SPACE, TESLA, Json, lines_of
from quantinal_mcp.sandbox import Sandbox

pytestmark = pytest.mark.anyio

HOURLY: Json = {**DAILY, "interval_minutes": 60}
SCHEDULED: Json = lines_of(run_mode="scheduled", schedule=HOURLY)


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
