"""Deletes, which cannot be undone: what goes is named, and the user is asked first."""

from __future__ import annotations

from typing import Any

import pytest

from help.callers import Caller, Questions, connected, tracker_of
from help.eras import Mode, both_eras, virtual_time
from help.inside import changes_nothing
from help.seeded import CALLS, PORTFOLIO, RUN, SOURCE, SPACE, TESLA, UNUSED, lines_of
from quantinal_mcp.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio


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
