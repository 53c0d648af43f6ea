"""Replicas on one PostgreSQL behind one nginx: what one promised the others keep."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from help.callers import Questions, gather
from help.eras import Mode, both_eras
from help.fleet import created, fleet, run_of, trackers, wire
from help.over_http import Served, Wire, connected, text_of
from help.postgres import Postgres
from help.seeded import ANN, PORTFOLIO, TESLA, Json
from quantinal_mcp.sandbox import Sandbox

pytestmark = [pytest.mark.anyio, pytest.mark.fleet, pytest.mark.timeout(180)]


def answered(question: Json) -> Json:
    (name,) = question["inputRequests"]
    yes = {name: {"action": "accept", "content": {"confirm": True}}}
    return {"requestState": question["requestState"], "inputResponses": yes}


async def test_a_yes_is_spent_once_whichever_replicas_it_reaches(server: Postgres, tmp_path: Path) -> None:
    sandbox = Sandbox(tokens=(ANN,))
    call: Json = {"tracker_id": PORTFOLIO, "again": True}
    async with fleet(sandbox, server, tmp_path) as these:
        question = await Wire(these.url, ANN).call("trigger_run", **call)
        await these.replicas[0].end(kill=True)
        await these.replicas[0].start()
        await these.replicas[0].until_ready()
        yes = answered(question)
        results = await gather(
            *[lambda one=one: Wire(one.url, ANN).call("trigger_run", more=yes, **call) for one in these.replicas],
            *[lambda: Wire(these.url, ANN).call("trigger_run", more=yes, **call)] * 3,
        )
    assert sorted(result["isError"] for result in results) == [False, *[True] * 5]
    assert len(created(sandbox)) == 1


@both_eras
async def test_a_user_who_is_asked_through_the_load_balancer_pays_once(
    server: Postgres, tmp_path: Path, mode: Mode
) -> None:
    sandbox, person = Sandbox(tokens=(ANN,)), Questions()
    async with fleet(sandbox, server, tmp_path) as these, connected(Served(these.url), ANN, mode, person) as client:
        for _ in range(4):
            result: Any = await client.call_tool("trigger_run", {"tracker_id": PORTFOLIO})
            assert not result.is_error
            assert not (await client.call_tool("list_spaces", {})).is_error
    assert len(person.asked) == 1
    assert len(created(sandbox)) == 1


@both_eras
async def test_a_budget_binds_the_whole_fleet(server: Postgres, tmp_path: Path, mode: Mode) -> None:
    sandbox = Sandbox(tokens=(ANN,), rate_limits=False)
    many = await trackers(sandbox, ANN, 9)
    async with fleet(sandbox, server, tmp_path, QUANTINAL_BUDGET_QUANTS="0.03/day") as these:
        wires = [await wire(these.url, mode, ANN) for _ in many]
        results = await gather(
            *[
                lambda one=one, tracker_id=tracker_id: one.call("trigger_run", tracker_id=tracker_id)
                for one, tracker_id in zip(wires, many, strict=True)
            ]
        )
    refused = [text_of(result) for result in results if result["isError"]]
    assert len(refused) == 7
    assert all(text.startswith("[over_budget]") for text in refused)
    assert len(created(sandbox)) == 2


@both_eras
async def test_equal_calls_at_once_are_one_run(server: Postgres, tmp_path: Path, mode: Mode) -> None:
    sandbox = Sandbox()
    async with fleet(sandbox, server, tmp_path) as these:
        wires = [await wire(these.url, mode) for _ in range(6)]
        results = await gather(*[lambda one=one: one.call("trigger_run", tracker_id=TESLA) for one in wires])
    assert {run_of(result) for result in results} == set(created(sandbox))
    assert len(created(sandbox)) == 1


@both_eras
async def test_a_session_stays_with_its_replica_and_its_client_is_told_when_it_is_over(
    server: Postgres, tmp_path: Path, mode: Mode
) -> None:
    async with fleet(Sandbox(), server, tmp_path) as these:
        wires = [await wire(these.url, mode) for _ in range(6)]
        for _ in range(3):
            results = await gather(*[lambda one=one: one.call("list_spaces") for one in wires])
            assert not any(result["isError"] for result in results)
        if mode == "legacy":
            assert {str(one.session)[-2:] for one in wires} == {".a", ".b", ".c"}
        await these.replicas[0].end(kill=True)
        told = [(await one.send("tools/call", {"name": "list_spaces", "arguments": {}})).status_code for one in wires]
        assert told == [404 if str(one.session).endswith(".a") else 200 for one in wires]
