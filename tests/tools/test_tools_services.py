"""What the two services differ in, and what a caller sees of it."""

from __future__ import annotations

import pytest

from help.callers import Caller, Overheard, connected, tracker_of
from help.eras import both_eras
from help.seeded import AGENT, PORTFOLIO, TESLA, UNUSED, Json, lines_of
from quantinal_mcp.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio

ZEN = {"reasoning_mode": "zen"}


@both_eras
async def test_zen_is_taken_wherever_a_reasoning_mode_is_and_an_older_services_refusal_is_passed_on(
    call: Caller, service: str
) -> None:
    new = lines_of(agent_config={**AGENT, **ZEN})
    if service == "documented":
        assert "reasoning_mode" in await call.fails("create_tracker", "invalid_request", **new)
        refused = await call.fails("update_tracker", "invalid_request", tracker_id=TESLA, agent_config=ZEN)
        assert "reasoning_mode" in refused
    else:
        assert (await call("create_tracker", **new))["agent_config"]["reasoning_mode"] == "zen"
        updated = await call("update_tracker", tracker_id=TESLA, agent_config=ZEN)
        assert updated["agent_config"]["reasoning_mode"] == "zen"
    cost = await call("estimate_run_cost", tracker_id=TESLA, reasoning_mode="zen")
    assert (cost["estimated_quants"], cost["needs_consent"]) == (0.66, True)
    assert "x 55" in cost["basis"]


@both_eras
async def test_a_refusal_of_links_that_an_update_did_not_name_is_explained(
    call: Caller, sandbox: Sandbox, service: str
) -> None:
    tracker = tracker_of(sandbox, UNUSED)
    (starred,) = sandbox.world.account().starred
    tracker.settings["agent_config"] = {**tracker.agent_config, "linked_trackers": [starred]}
    change = {"tracker_id": UNUSED, "agent_config": {"score_meaning": "Mine"}}
    if service == "documented":
        assert (await call("update_tracker", **change))["agent_config"]["linked_trackers"] == [starred]
        return
    text = await call.fails("update_tracker", "invalid_request", **change)
    assert "not found in this space" in text
    assert "agent_config.linked_trackers" in text
    assert tracker.agent_config["score_meaning"] != "Mine"
    named = {**change, "agent_config": {"linked_trackers": [starred]}}
    assert "completed from the tracker" not in await call.fails("update_tracker", "invalid_request", **named)
    mended: Json = {**change, "agent_config": {"score_meaning": "Mine", "linked_trackers": []}}
    assert (await call("update_tracker", **mended))["agent_config"]["linked_trackers"] == []


@pytest.mark.parametrize(
    ("status", "tracker_id", "config"),
    [(422, PORTFOLIO, {}), (400, TESLA, {}), (400, PORTFOLIO, {"linked_trackers": []})],
    ids=["of another kind", "without links", "of links that were named"],
)
async def test_another_refusal_is_not_explained_with_links(
    call: Caller, sandbox: Sandbox, status: int, tracker_id: str, config: Json
) -> None:
    sandbox.faults.add(Fault("PATCH", "/trackers/", "status", code=status, body='{"detail": "Not so."}'))
    change = {"tracker_id": tracker_id, "agent_config": {"score_meaning": "Mine", **config}}
    text = await call.fails("update_tracker", "invalid_request", **change)
    assert "Not so." in text
    assert "linked" not in text


async def test_such_runs_win_over_multipliers_that_ask_for_more(call: Caller, sandbox: Sandbox, service: str) -> None:
    run = next(run for run in sandbox.runs() if run["config_snapshot"]["agent_config"]["reasoning_mode"] == "super")
    cost = await call("estimate_run_cost", tracker_id=run["tracker_id"])
    assert cost["estimated_quants"] == run["quants_used"] == {"documented": 0.818, "v0.3": 0.683}[service]
    assert cost["basis"].startswith("history")


async def test_no_skills_are_sent_as_none_and_cost_nobody_knows_what(sandbox: Sandbox) -> None:
    way = Overheard(sandbox)
    async with connected(sandbox, way=way) as call:
        made = await call("create_tracker", **lines_of(agent_config={**AGENT, "skills": []}))
        await call("update_tracker", tracker_id=UNUSED, agent_config={"skills": []})
        costs = [await call("estimate_run_cost", tracker_id=one) for one in (made["tracker_id"], UNUSED)]
    assert [body["agent_config"]["skills"] for body in way.bodies] == [[], []]
    assert made["agent_config"]["skills"] == []
    for cost in costs:
        assert "estimated_quants" not in cost
        assert "at_least" not in cost
        assert any("without skills" in one for one in cost["unknowns"])
        assert cost["needs_consent"] is True


async def test_keys_that_nobody_documented_survive_a_partial_update(
    call: Caller, sandbox: Sandbox, service: str
) -> None:
    tracker = tracker_of(sandbox)
    kept = {"notification_config": {"upper": {"at": 80}}, "agent_config": {"temperament": "calm"}}
    for part, unknown in kept.items():
        tracker.settings[part] = {**tracker.settings[part], **unknown}
    changes = {"notification_config": {"email_enabled": False}, "agent_config": {"score_meaning": "Mine"}}
    await call("update_tracker", tracker_id=TESLA, **changes)
    after = tracker_of(sandbox).settings
    for part, unknown in kept.items():
        is_kept = after[part].items() >= unknown.items()
        assert is_kept is (service == "v0.3")
        assert after[part].items() >= changes[part].items()
