"""The seeded data: deterministic, varied, and worth looking at."""

from datetime import timedelta
from typing import Any

import pytest

from help.seeded import SPACE, START, TESLA
from help.services import in_process
from quantinal_mcp.sandbox import Sandbox

pytestmark = pytest.mark.anyio


async def everything(sandbox: Sandbox) -> dict[str, Any]:
    api = in_process(sandbox)
    spaces = (await api.get("/api/spaces")).json()["data"]
    trackers = [
        tracker
        for space in spaces
        for tracker in (await api.get("/api/trackers", params={"space_id": space["space_id"]})).json()["data"]
    ]
    sources = [
        source
        for tracker in trackers
        for source in (await api.get(f"/api/trackers/{tracker['tracker_id']}/vault/sources")).json()["data"]
    ]
    return {"spaces": spaces, "trackers": trackers, "sources": sources, "runs": sandbox.runs()}


async def test_the_same_seed_and_start_give_the_same_data() -> None:
    first, second, other = [await everything(Sandbox(seed=seed, start=START)) for seed in (7, 7, 8)]
    assert first == second
    assert first["runs"] != other["runs"]


async def test_the_same_requests_give_the_same_answers() -> None:
    answers: list[Any] = []
    for _ in range(2):
        sandbox = Sandbox(start=START)
        api = in_process(sandbox)
        run = (await api.post(f"/api/trackers/{TESLA}/runs")).json()
        answers.append((run["run_id"], sandbox.runs()[-1]["internal"]["cost"]))
    assert answers[0] == answers[1]


async def test_the_seed_has_one_of_everything(sandbox: Sandbox) -> None:
    data = await everything(sandbox)
    assert [space["category"] for space in data["spaces"]] == ["finance", "marketing", "research"]
    assert data["spaces"][0]["space_id"] == SPACE
    modes = {tracker["agent_config"]["reasoning_mode"] for tracker in data["trackers"]}
    assert modes == {"basic", "advanced", "super"}
    assert {tracker["run_mode"] for tracker in data["trackers"]} == {"manual", "scheduled"}
    assert any(tracker["agent_config"]["linked_trackers"] for tracker in data["trackers"])
    assert any(tracker["shared_vault_tracker_id"] for tracker in data["trackers"])
    assert any(tracker["last_run_at"] is None for tracker in data["trackers"])
    assert {source["source_type"] for source in data["sources"]} == {"JSON", "CSV", "TXT", "MD", "PDF"}
    assert {run["status"] for run in data["runs"]} == {"completed", "failed"}
    assert sum(run["tracker_id"] == TESLA for run in data["runs"]) == 120


async def test_teslas_scores_tell_of_a_slump_and_a_recovery(sandbox: Sandbox) -> None:
    scores = [run["result"]["score"] for run in sandbox.runs() if run["tracker_id"] == TESLA and run["result"]]
    lowest = scores.index(min(scores))
    assert max(scores[:lowest]) > 60
    assert min(scores) < 20
    assert scores[-1] == 72
    assert all(1 <= score <= 99 for score in scores)


async def test_the_seeded_history_is_over_before_the_start(sandbox: Sandbox) -> None:
    assert all(run["completed_at"] <= f"{START:%Y-%m-%dT%H:%M:%SZ}" for run in sandbox.runs())


async def test_the_seeded_history_took_as_long_as_new_runs_do() -> None:
    def slowest(time_scale: float) -> timedelta:
        sandbox = Sandbox(start=START, time_scale=time_scale)
        took = [run for run in sandbox.runs() if run["tracker_id"] == TESLA]
        return max(START.fromisoformat(run["completed_at"]) - START.fromisoformat(run["started_at"]) for run in took)

    assert timedelta(seconds=60) < slowest(1) <= timedelta(seconds=91)
    assert slowest(15) <= timedelta(seconds=7)
