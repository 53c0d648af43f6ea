"""Two accounts on one server, interleaved: nothing learnt with one token serves the other."""

from __future__ import annotations

from typing import Any

import pytest

from help.eras import Mode, both_eras
from help.over_http import LONG, POST_RUN, Wire, answer_in, connected, opened, plain, serving, text_of, until, wired
from help.seeded import ANN, BEN, BENS_TESLA, BENS_UNUSED, PORTFOLIO, SPACE, TESLA, UNUSED, Json
from quantinal_mcp.money.budget import Budget
from quantinal_mcp.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio

NEW: Json = {
    "space_id": SPACE,
    "name": "Ann's own",
    "description": "Nobody else's",
    "run_mode": "manual",
    "agent_config": {"instruction": "Read.", "score_meaning": "Mood", "skills": ["web"]},
}


def posts(sandbox: Sandbox) -> list[int | None]:
    """Whose account each trigger went to."""
    return [one.account for one in sandbox.requests if one.method == "POST" and one.path.endswith("/runs")]


def answered(result: Json, *, yes: bool = True) -> Json:
    """What a retry carries that answers the question in `result`."""
    (question,) = result["inputRequests"]
    return {
        "requestState": result["requestState"],
        "inputResponses": {question: {"action": "accept", "content": {"confirm": yes}}},
    }


@both_eras
async def test_each_client_sees_its_own_account(sandbox: Sandbox, mode: Mode) -> None:
    async with serving(sandbox) as served, connected(served, ANN, mode) as ann, connected(served, BEN, mode) as ben:
        created = await ann.call_tool("create_tracker", NEW)
        assert created.structured_content
        tracker = {"tracker_id": created.structured_content["tracker_id"]}
        for _ in range(2):
            assert not (await ann.call_tool("get_tracker", tracker)).is_error
            assert (await ben.call_tool("get_tracker", tracker)).is_error
    whose = {one.account for one in sandbox.requests if one.path.endswith(tracker["tracker_id"])}
    assert whose == {0, 1}


@both_eras
async def test_a_token_serves_its_own_request_only(sandbox: Sandbox, mode: Mode) -> None:
    async with serving(sandbox) as served:
        wires = [await wired(served, ANN, mode), await wired(served, BEN, mode)]
        for number in (0, 1, 1, 0, 1):
            sandbox.requests.clear()
            await wires[number].call("list_spaces")
            assert {one.account for one in sandbox.requests} == {number}


@pytest.mark.parametrize("forbidden_first", [True, False])
async def test_prices_that_one_account_may_not_read_are_no_matter_of_the_other(
    sandbox: Sandbox, forbidden_first: bool
) -> None:
    async def unknowns(token: str, tracker_id: str, *, forbidden: bool) -> Any:
        sandbox.faults.clear()
        if forbidden:
            sandbox.faults.add(Fault("GET", "/skills", "status", times=None, code=403, body='{"detail": "Forbidden"}'))
        estimate = await Wire(served.url, token).call("estimate_run_cost", tracker_id=tracker_id)
        return estimate["structuredContent"]["unknowns"]

    async with serving(sandbox) as served:
        first = await unknowns(ANN, UNUSED, forbidden=forbidden_first)
        second = await unknowns(BEN, BENS_UNUSED, forbidden=not forbidden_first)
    assert [bool(first), bool(second)] == [forbidden_first, not forbidden_first]


@both_eras
async def test_resources_and_completions_are_those_of_the_token(sandbox: Sandbox, mode: Mode) -> None:
    template = {"type": "ref/resource", "uri": "quantinal://trackers/{tracker_id}"}
    completion: Json = {"ref": template, "argument": {"name": "tracker_id", "value": "tesla"}}
    tracker = {"uri": f"quantinal://trackers/{TESLA}"}
    async with serving(sandbox) as served:
        ann, ben = await wired(served, ANN, mode), await wired(served, BEN, mode)
        for _ in range(2):
            for wire, own in ((ann, TESLA), (ben, BENS_TESLA)):
                answer = answer_in(await wire.send("completion/complete", completion))
                assert answer["result"]["completion"]["values"] == [own]
            assert "result" in answer_in(await ann.send("resources/read", tracker))
            assert "error" in answer_in(await ben.send("resources/read", tracker))


@both_eras
async def test_a_budget_that_one_account_used_up_is_whole_for_the_other(sandbox: Sandbox, mode: Mode) -> None:
    async with serving(sandbox, budget_quants=Budget(0.05)) as served:
        ann, ben = await wired(served, ANN, mode), await wired(served, BEN, mode)
        spent = [await ann.call("trigger_run", tracker_id=TESLA, again=True) for _ in range(5)]
        assert not spent[0]["isError"]
        assert text_of(spent[-1]).startswith("[over_budget]")
        done = len(posts(sandbox))
        assert not (await ben.call("trigger_run", tracker_id=BENS_TESLA))["isError"]
        assert text_of(await ann.call("trigger_run", tracker_id=TESLA, again=True)).startswith("[over_budget]")
    assert posts(sandbox) == [0] * done + [1]


@both_eras
async def test_a_run_is_remembered_for_the_account_that_triggered_it(sandbox: Sandbox, mode: Mode) -> None:
    async with serving(sandbox) as served:
        ann, ben = await wired(served, ANN, mode), await wired(served, BEN, mode)
        async with ann.begun("trigger_run", **LONG):
            await until(lambda: posts(sandbox) == [0])
        await until(lambda: served.in_flight == 0)
        assert posts(sandbox) == [0]
        bens = await ben.call("trigger_run", tracker_id=BENS_TESLA)
        assert posts(sandbox) == [0, 1]
        anns = await ann.call("trigger_run", tracker_id=TESLA)
        assert posts(sandbox) == [0, 1]
    run_ids = [result["structuredContent"]["run_id"] for result in (anns, bens)]
    assert run_ids == [sandbox.runs(token)[-1]["run_id"] for token in (ANN, BEN)]
    assert run_ids[0] != run_ids[1]


@both_eras
async def test_a_wait_for_the_other_accounts_run_finds_none(sandbox: Sandbox, mode: Mode) -> None:
    async with serving(sandbox) as served:
        ann, ben = await wired(served, ANN, mode), await wired(served, BEN, mode)
        started = await ann.call("trigger_run", tracker_id=TESLA, context={"sandbox": {"seconds": 30}})
        run: Json = {"tracker_id": TESLA, "run_id": started["structuredContent"]["run_id"], "wait_seconds": 0}
        assert (await ann.call("wait_for_run", **run))["structuredContent"]["status"] != "completed"
        assert text_of(await ben.call("wait_for_run", **run)).startswith("[not_found]")


async def test_a_session_is_unknown_to_every_other_token(sandbox: Sandbox) -> None:
    async with serving(sandbox, api_token=ANN) as served, plain() as http:
        own = await opened(served.url, BEN)
        unknown = await Wire(served.url, ANN, "0" * 32).send("tools/list", {})
        assert unknown.status_code == 404
        for token in (ANN, None):
            other = Wire(served.url, token, own.session)
            refused = await other.send("tools/call", {"name": "list_spaces", "arguments": {}})
            assert (refused.status_code, refused.content) == (404, unknown.content)
            for method in ("GET", "DELETE"):
                answer = await http.request(method, f"{served.url}/mcp", headers=other.headers("ping", {}))
                assert (answer.status_code, answer.content) == (404, unknown.content)
        assert sandbox.requests == []
        assert not (await own.call("list_spaces"))["isError"]


async def test_a_session_cannot_be_told_to_cancel_by_another_token(sandbox: Sandbox) -> None:
    async with serving(sandbox) as served, plain() as http:
        own = await opened(served.url, ANN)
        other = Wire(served.url, BEN, own.session)
        body = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}
        answer = await http.post(f"{served.url}/mcp", headers=other.headers("", {}), json=body)
        assert answer.status_code == 404


async def test_a_question_answered_with_the_other_token_is_refused(sandbox: Sandbox) -> None:
    async with serving(sandbox) as served:
        ann, ben = Wire(served.url, ANN), Wire(served.url, BEN)
        question = await ann.call("trigger_run", tracker_id=PORTFOLIO)
        call = {"name": "trigger_run", "arguments": {"tracker_id": PORTFOLIO}, **answered(question)}
        refused = (await ben.send("tools/call", call)).json()
        assert "error" in refused
        assert sandbox.count(*POST_RUN) == 0
        accepted = (await ann.send("tools/call", call)).json()
        assert not accepted["result"]["isError"]
        assert posts(sandbox) == [0]


async def test_an_answer_is_spent_once(sandbox: Sandbox) -> None:
    async with serving(sandbox) as served:
        ann = Wire(served.url, ANN)
        more = answered(await ann.call("trigger_run", tracker_id=PORTFOLIO, again=True))
        assert not (await ann.call("trigger_run", tracker_id=PORTFOLIO, again=True, more=more))["isError"]
        again = await ann.call("trigger_run", tracker_id=PORTFOLIO, again=True, more=more)
        assert text_of(again).startswith("[needs_consent]")
    assert posts(sandbox) == [0]


@both_eras
async def test_a_path_of_the_servers_does_not_exist(sandbox: Sandbox, mode: Mode, tmp_path: Any) -> None:
    (tmp_path / "notes.txt").write_text("the server's own")
    async with serving(sandbox, upload_roots=(tmp_path,)) as served:
        wire = await wired(served, ANN, mode)
        refused = await wire.call("upload_vault_file", tracker_id=TESLA, path=str(tmp_path / "notes.txt"))
        assert text_of(refused).startswith("[invalid_request] path cannot be used over HTTP")
        sent = await wire.call("upload_vault_file", tracker_id=TESLA, filename="notes.txt", content="mine")
        assert not sent["isError"]
    assert sandbox.count("POST", "/vault") == 1


async def test_each_account_is_offered_the_console_for_itself() -> None:
    sandbox, page = Sandbox(tokens=(ANN, BEN), balance=0), "https://console.example/billing"
    async with serving(sandbox, console_url=page) as served:
        for token, tracker_id in ((ANN, TESLA), (BEN, BENS_TESLA)):
            wire = Wire(served.url, token, capabilities={"elicitation": {"url": {}}})
            offered, told = [await wire.call("trigger_run", tracker_id=tracker_id) for _ in range(2)]
            assert offered["inputRequests"]["console"]["params"]["url"] == page
            assert text_of(told).startswith("[insufficient_quants] ")
