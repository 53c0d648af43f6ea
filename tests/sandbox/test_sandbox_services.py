"""The service of the documents and the newer one, and all in which they differ."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from help.seeded import SERVICES, SPACE, START, TESLA, tracker_body
from help.services import in_process
from quantinal_mcp.sandbox import Sandbox

pytestmark = pytest.mark.anyio

RUNS = f"/api/trackers/{TESLA}/runs"
CREATE = f"/api/spaces/{SPACE}/trackers"

both = pytest.mark.parametrize("service", SERVICES)


def playing(service: str, **options: Any) -> tuple[Sandbox, httpx.AsyncClient]:
    sandbox = Sandbox(service=service, start=START, **options)
    return sandbox, in_process(sandbox)


async def in_mode(api: httpx.AsyncClient, mode: str, links: Sequence[str] = ()) -> httpx.Response:
    config = tracker_body()["agent_config"] | {"reasoning_mode": mode, "linked_trackers": list(links)}
    return await api.patch(f"/api/trackers/{TESLA}", json={"agent_config": config})


def test_an_unknown_service_is_refused_naming_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"documented, v0\.3"):
        Sandbox(service="v9")


@both
async def test_zen_is_a_mode_of_the_newer_service_only(service: str) -> None:
    _, api = playing(service)
    assert (await in_mode(api, "zen")).status_code == (200 if service == "v0.3" else 422)


@pytest.mark.parametrize("anyio_backend", ["trio_virtual"], indirect=True)
async def test_zen_runs_asynchronously_only_and_a_refused_trigger_costs_nothing() -> None:
    sandbox, api = playing("v0.3", time_scale=1)
    await in_mode(api, "zen")
    refused = await api.post(RUNS, json={"sync": True})
    assert (refused.status_code, "asynchronously" in refused.json()["detail"]) == (400, True)
    assert sandbox.charged() == 0
    begun = await api.post(RUNS)
    assert (begun.status_code, begun.json()["status"]) == (202, "pending")
    (run,) = [run for run in sandbox.runs() if run["run_id"] == begun.json()["run_id"]]
    took = START.fromisoformat(run["internal"]["ends_at"]) - START.fromisoformat(run["internal"]["created_at"])
    assert 2700 <= took.total_seconds() <= 3601


@pytest.mark.parametrize(
    ("service", "mode", "links", "cost"),
    [
        ("documented", "basic", 0, 0.02),
        ("documented", "advanced", 0, 0.104),
        ("documented", "super", 0, 0.368),
        ("documented", "basic", 2, 0.028),
        ("v0.3", "basic", 0, 0.02),
        ("v0.3", "advanced", 0, 0.08),
        ("v0.3", "super", 0, 0.308),
        ("v0.3", "zen", 0, 0.668),
        ("v0.3", "basic", 2, 0.02),
    ],
)
async def test_each_service_has_its_prices(service: str, mode: str, links: int, cost: float) -> None:
    sandbox, api = playing(service)
    mates = (await api.get("/api/trackers", params={"space_id": SPACE})).json()["data"]
    others = [mate["tracker_id"] for mate in mates if mate["tracker_id"] != TESLA][:links]
    assert (await in_mode(api, mode, others)).status_code == 200
    await api.post(RUNS)
    assert sandbox.charged() == cost


@both
async def test_a_starred_public_tracker_can_be_linked_at_the_documented_service_only(service: str) -> None:
    _, api = playing(service)
    (starred,) = (await api.get("http://sandbox/_sandbox/starred")).json()
    status = 200 if service == "documented" else 400
    assert (await in_mode(api, "basic", [starred])).status_code == status
    config = tracker_body()["agent_config"] | {"linked_trackers": [starred]}
    created = await api.post(CREATE, json=tracker_body(agent_config=config))
    assert created.status_code == (201 if service == "documented" else 400)


@both
async def test_configurations_of_the_newer_service_keep_keys_that_the_documents_do_not_name(service: str) -> None:
    _, api = playing(service)
    config = tracker_body()["agent_config"] | {"temperament": "calm"}
    body = {"agent_config": config, "notification_config": {"ceiling": 80}}
    changed = (await api.patch(f"/api/trackers/{TESLA}", json=body)).json()
    read = (await api.get(f"/api/trackers/{TESLA}")).json()
    assert read == changed
    kept = (read["agent_config"].get("temperament"), read["notification_config"].get("ceiling"))
    assert kept == (("calm", 80) if service == "v0.3" else (None, None))


async def test_what_the_newer_service_answers_lacks_visibility_and_nothing_else() -> None:
    examples = json.loads((Path(__file__).parent / "data" / "examples.json").read_text())
    apis = [playing(service)[1] for service in SERVICES]
    for example in examples:
        method, path = example["request"].split()
        if method != "GET":
            continue
        older, newer = [(await api.get(path)).json() for api in apis]
        rows = [(older, newer)] if "data" not in older else zip(older["data"], newer["data"], strict=True)
        for before, after in rows:
            gone = {"visibility"} if "agent_config" in before else set[str]()
            assert before.keys() - after.keys() == gone, path
            assert not after.keys() - before.keys(), path


async def test_the_newer_service_starts_with_a_tracker_in_zen_and_the_same_data_otherwise() -> None:
    (older, _), (newer, _) = (playing(service) for service in SERVICES)
    modes = {run["config_snapshot"]["agent_config"]["reasoning_mode"] for run in newer.runs()}
    assert modes - {run["config_snapshot"]["agent_config"]["reasoning_mode"] for run in older.runs()} == {"zen"}

    def scores(sandbox: Sandbox) -> list[Any]:
        runs = [run for run in sandbox.runs() if run["config_snapshot"]["agent_config"]["reasoning_mode"] != "zen"]
        return [(run["run_id"], run["result"]) for run in runs]

    assert scores(older) == scores(newer)
