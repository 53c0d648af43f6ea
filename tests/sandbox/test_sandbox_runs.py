"""Runs as time passes: their states, their cost, waiting for them. Time is virtual."""

import anyio
import httpx
import pytest

from help.seeded import RUN, START, TESLA
from help.services import in_process
from quantinal_mcp.sandbox import Sandbox

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["trio_virtual"], indirect=True)]

RUNS = f"/api/trackers/{TESLA}/runs"


def steered(**steer: object) -> dict[str, object]:
    return {"context": {"sandbox": steer}}


async def test_a_run_goes_from_pending_over_running_to_completed() -> None:
    sandbox = Sandbox(start=START, pending_seconds=5)
    api = in_process(sandbox)
    begun = await api.post(RUNS, json=steered(seconds=10, score=12))
    assert (begun.status_code, begun.json()["status"]) == (202, "pending")
    path = f"{RUNS}/{begun.json()['run_id']}"
    pending = (await api.get(path)).json()
    assert (pending["status"], pending["started_at"], pending["result"]) == ("pending", None, None)
    assert "quants_used" not in pending
    await anyio.sleep(6)
    running = (await api.get(path)).json()
    assert (running["status"], running["completed_at"], running["quants_used"]) == ("running", None, 0.02)
    assert running["started_at"] == "2026-03-01T12:00:05Z"
    await anyio.sleep(10)
    over = (await api.get(path)).json()
    assert (over["status"], over["completed_at"], over["result"]["score"]) == ("completed", "2026-03-01T12:00:15Z", 12)
    assert over["notification_delivery"]["email"]["status"] == "sent"
    assert "Tesla" in over["result"]["insight"]
    assert (await api.get(f"/api/trackers/{TESLA}")).json()["last_run_at"] == over["started_at"]


async def test_a_run_can_be_made_to_fail(sandbox: Sandbox) -> None:
    api = in_process(sandbox)
    answer = await api.post(RUNS, json={"sync": True} | steered(seconds=1, fail=True))
    assert (answer.status_code, answer.json()["status"], answer.json()["result"]) == (200, "failed", None)
    assert answer.json()["error_message"]


async def test_a_sync_trigger_answers_when_the_run_is_over(sandbox: Sandbox) -> None:
    began = anyio.current_time()
    answer = await in_process(sandbox).post(RUNS, json={"sync": True} | steered(seconds=2.5))
    assert anyio.current_time() - began == pytest.approx(2.8)
    assert (answer.status_code, answer.json()["execution_time_seconds"]) == (200, 2.5)
    assert "quants_used" not in answer.json()


async def test_a_sync_trigger_that_takes_too_long_is_504_and_its_run_goes_on(sandbox: Sandbox) -> None:
    api = in_process(sandbox)
    began = anyio.current_time()
    answer = await api.post(RUNS, json={"sync": True} | steered(seconds=60))
    assert anyio.current_time() - began == pytest.approx(3)
    assert (answer.status_code, answer.json()["error_code"]) == (504, "RUNNER_SYNC_TIMEOUT")
    await anyio.sleep(60)
    newest = (await api.get(RUNS, params={"page_size": 1})).json()["data"][0]
    assert (newest["status"], newest["config_snapshot"]["sync"]) == ("completed", True)


@pytest.mark.parametrize(("mode", "low", "high"), [("basic", 30, 90), ("advanced", 300, 600), ("super", 1200, 2400)])
async def test_a_run_takes_as_long_as_its_reasoning_mode_says(mode: str, low: float, high: float) -> None:
    sandbox = Sandbox(start=START, time_scale=1, sync_limit=10_000)
    api = in_process(sandbox)
    config = (await api.get(f"/api/trackers/{TESLA}")).json()["agent_config"] | {"reasoning_mode": mode}
    await api.patch(f"/api/trackers/{TESLA}", json={"agent_config": config})
    async with httpx.AsyncClient(
        transport=sandbox.transport(), base_url="http://s/v1", timeout=10_000, headers=api.headers
    ) as patient:
        answer = await patient.post(RUNS, json={"sync": True})
    assert low <= answer.json()["execution_time_seconds"] <= high


@pytest.mark.parametrize(
    ("mode", "skills", "links", "cost"),
    [("basic", 1, 0, 0.02), ("advanced", 1, 0, 0.104), ("super", 2, 0, 0.728), ("basic", 2, 2, 0.04)],
)
async def test_a_run_is_charged_once_when_it_begins(
    sandbox: Sandbox, mode: str, skills: int, links: int, cost: float
) -> None:
    api = in_process(sandbox)
    tracker = (await api.get(f"/api/trackers/{TESLA}")).json()
    mates = (await api.get("/api/trackers", params={"space_id": tracker["space_id"]})).json()["data"]
    config = tracker["agent_config"] | {
        "reasoning_mode": mode,
        "skills": ["financial_markets", "web"][:skills],
        "linked_trackers": [one["tracker_id"] for one in mates if one["tracker_id"] != TESLA][:links],
    }
    assert (await api.patch(f"/api/trackers/{TESLA}", json={"agent_config": config})).status_code == 200
    run = (await api.post(RUNS)).json()
    assert (sandbox.charged(), sandbox.balance()) == (cost, 100 - cost)
    await anyio.sleep(200)
    assert (await api.get(f"{RUNS}/{run['run_id']}")).json()["quants_used"] == cost
    assert sandbox.charged() == cost


async def test_without_quants_a_run_is_402_and_does_not_begin() -> None:
    sandbox = Sandbox(start=START, balance=0.03)
    api = in_process(sandbox)
    statuses = [(await api.post(RUNS)).status_code for _ in range(2)]
    assert statuses == [202, 402]
    assert (sandbox.balance(), sum(run["internal"]["origin"] == "api" for run in sandbox.runs())) == (0.01, 1)


@pytest.mark.parametrize("content", [b"", b"{}", b"null"])
async def test_the_body_of_a_trigger_is_optional(sandbox: Sandbox, content: bytes) -> None:
    assert (await in_process(sandbox).post(RUNS, content=content)).status_code == 202


async def test_a_new_run_can_be_listed_late() -> None:
    api = in_process(Sandbox(start=START, listing_delay=4))
    run_id = (await api.post(RUNS)).json()["run_id"]
    assert (await api.get(f"{RUNS}/{run_id}")).status_code == 200

    async def newest() -> str:
        return (await api.get(RUNS)).json()["data"][0]["run_id"]

    assert await newest() == RUN
    await anyio.sleep(4.1)
    assert await newest() == run_id


async def test_a_shuffled_list_holds_the_same_runs_in_a_fixed_order() -> None:
    plain, shuffled = (in_process(Sandbox(start=START, shuffle_lists=shuffle)) for shuffle in (False, True))

    async def ids(api: httpx.AsyncClient) -> list[str]:
        pages = [(await api.get(RUNS, params={"page_size": 100, "page": page})).json() for page in (1, 2)]
        return [run["run_id"] for page in pages for run in page["data"]]

    ordered, mixed = await ids(plain), await ids(shuffled)
    assert mixed != ordered
    assert sorted(mixed) == sorted(ordered)
    assert await ids(shuffled) == mixed


async def test_the_list_is_filtered(sandbox: Sandbox) -> None:
    api = in_process(sandbox)

    async def found(**params: object) -> list[dict[str, object]]:
        asked = {name: str(value) for name, value in params.items()} | {"page_size": "100"}
        return (await api.get(RUNS, params=asked)).json()["data"]

    assert len(await found(status="failed")) == 2
    low = await found(max_score=20)
    assert low
    assert {run["status"] for run in low} == {"completed"}
    delivered, lost = await found(notification_status="success"), await found(notification_status="failed")
    assert len(delivered) + len(lost) == len(low)
    assert len(lost) == 1
    window = await found(start_date="2026-01-01T00:00:00Z", end_date="2026-01-31T00:00:00Z")
    assert window
    assert all("2026-01" in str(run["started_at"]) for run in window)
    assert len(await found(min_score=0)) == 100
    assert await found(min_score=90, max_score=10) == []


@pytest.mark.parametrize("cleared", [None, ""])
async def test_a_comment_is_set_and_cleared(sandbox: Sandbox, cleared: str | None) -> None:
    api = in_process(sandbox)
    await api.patch(f"{RUNS}/{RUN}", json={"comment": "x" * 1000})
    assert (await api.get(f"{RUNS}/{RUN}")).json()["run_comment"] == "x" * 1000
    assert (await api.patch(f"{RUNS}/{RUN}", json={"comment": cleared})).json()["run_comment"] is None


async def test_a_deleted_run_is_gone(sandbox: Sandbox) -> None:
    api = in_process(sandbox)
    assert (await api.delete(f"{RUNS}/{RUN}")).json()["message"] == "Run deleted successfully"
    assert (await api.get(f"{RUNS}/{RUN}")).status_code == 404


async def test_a_run_begun_elsewhere_is_listed_and_charged(sandbox: Sandbox) -> None:
    begun = sandbox.begin_run(TESLA)
    newest = (await in_process(sandbox).get(RUNS)).json()["data"][0]
    assert newest["run_id"] == begun["run_id"]
    assert newest["config_snapshot"]["trigger_type"] == "scheduled"
    assert (begun["internal"]["origin"], sandbox.charged()) == ("elsewhere", 0.02)
    with pytest.raises(LookupError):
        sandbox.begin_run("trk_x")


async def test_a_rate_limit_ends_when_retry_after_says(sandbox: Sandbox) -> None:
    api = in_process(sandbox)
    for _ in range(30):
        await api.get("/api/skills")
    refused = await api.get("/api/skills")
    assert refused.headers["Retry-After"] == "60"
    await anyio.sleep(60)
    assert (await api.get("/api/skills")).status_code == 200
