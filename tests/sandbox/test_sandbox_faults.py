"""Each way in which the sandbox misbehaves, in process and over sockets."""

from collections.abc import AsyncGenerator
from typing import Any

import anyio
import httpx
import pytest

from help.seeded import TESLA, TOKEN
from help.services import in_process
from quantinal_mcp.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio

RUNS = f"/api/trackers/{TESLA}/runs"
SYNC: dict[str, Any] = {"sync": True, "context": {"sandbox": {"seconds": 0.2}}}


@pytest.fixture(params=["in process", "sockets"])
async def client(request: pytest.FixtureRequest, sandbox: Sandbox) -> AsyncGenerator[httpx.AsyncClient]:
    if request.param == "in process":
        async with in_process(sandbox) as client:
            yield client
        return
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with sandbox.serve() as base_url, httpx.AsyncClient(base_url=base_url, headers=headers) as client:
        yield client


def begun(sandbox: Sandbox) -> int:
    return sum(run["internal"]["origin"] == "api" for run in sandbox.runs())


async def test_a_status_is_answered_without_acting(client: httpx.AsyncClient, sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("POST", r"/runs$", "status", code=429, headers={"Retry-After": "7"}))
    answer = await client.post(RUNS)
    assert (answer.status_code, answer.headers["Retry-After"], begun(sandbox)) == (429, "7", 0)
    assert (await client.post(RUNS)).status_code == 202


@pytest.mark.parametrize(
    ("code", "body", "media"),
    [
        (504, "<html>gateway timeout</html>", "text/html; charset=utf-8"),
        (504, '{"detail": "late", "error_code": "RUNNER_SYNC_TIMEOUT"}', "application/json"),
        (200, '{"run_id": 5', "application/json"),
    ],
)
async def test_a_status_can_follow_the_act(
    client: httpx.AsyncClient, sandbox: Sandbox, code: int, body: str, media: str
) -> None:
    sandbox.faults.add(Fault("POST", r"/runs$", "act_then_status", code=code, body=body))
    answer = await client.post(RUNS, json=SYNC)
    assert (answer.status_code, answer.text, answer.headers["Content-Type"]) == (code, body, media)
    (run,) = [run for run in sandbox.runs() if run["internal"]["origin"] == "api"]
    assert run["status"] in ("pending", "running")


async def test_a_fault_can_wait_until_the_run_is_over(client: httpx.AsyncClient, sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("POST", r"/runs$", "act_then_status", code=502, when="finished"))
    assert (await client.post(RUNS, json=SYNC)).status_code == 502
    assert sandbox.runs()[-1]["status"] == "completed"


@pytest.mark.parametrize(("kind", "acted"), [("drop_before", 0), ("drop_after", 1)])
async def test_a_dropped_connection_is_a_protocol_error(
    client: httpx.AsyncClient, sandbox: Sandbox, kind: Any, acted: int
) -> None:
    sandbox.faults.add(Fault("POST", r"/runs$", kind))
    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        await client.post(RUNS, json=SYNC)
    assert (begun(sandbox), sandbox.requests[-1].status) == (acted, None)


async def test_half_an_answer_is_a_protocol_error_while_reading(client: httpx.AsyncClient, sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("POST", r"/runs$", "half"))
    async with client.stream("POST", RUNS) as answer:
        assert answer.status_code == 202
        with pytest.raises(httpx.RemoteProtocolError, match="complete message body"):
            await answer.aread()
    assert begun(sandbox) == 1


async def test_a_refused_connection_did_nothing(client: httpx.AsyncClient, sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("POST", r"/runs$", "refuse"))
    with pytest.raises((httpx.ConnectError, httpx.RemoteProtocolError)):
        await client.post(RUNS)
    assert begun(sandbox) == 0


async def test_in_process_a_refused_connection_is_a_connect_error(sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("*", "/spaces", "refuse"))
    with pytest.raises(httpx.ConnectError):
        await in_process(sandbox).get("/api/spaces")


@pytest.mark.parametrize("kind", ["hang_before", "hang_after"])
async def test_a_request_that_hangs_is_acted_upon_though_its_client_left(
    client: httpx.AsyncClient, sandbox: Sandbox, kind: Any
) -> None:
    sandbox.faults.add(Fault("POST", r"/runs$", kind, seconds=0.1))
    with pytest.raises(httpx.ReadTimeout):
        await client.post(RUNS, timeout=0.05)
    assert begun(sandbox) == (kind == "hang_after")
    await anyio.sleep(0.1)
    await client.get("/api/spaces")
    assert begun(sandbox) == 1


async def test_a_slow_body_arrives_in_the_end(client: httpx.AsyncClient, sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("GET", "/spaces", "slow_body", seconds=0.3))
    began = anyio.current_time()
    answer = await client.get("/api/spaces", timeout=0.15)
    assert anyio.current_time() - began >= 0.25
    assert len(answer.json()["data"]) == 3


async def test_a_fault_skips_counts_down_and_is_cleared(client: httpx.AsyncClient, sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("GET", "/spaces", "status", skip=1, times=2), Fault("GET", "/skills", "status", None))
    assert [(await client.get("/api/spaces")).status_code for _ in range(4)] == [200, 503, 503, 200]
    assert [(await client.get("/api/skills")).status_code for _ in range(3)] == [503, 503, 503]
    sandbox.faults.clear()
    assert (await client.get("/api/skills")).status_code == 200
    assert sandbox.count("GET", r"/(spaces|skills)$") == 8


async def test_faults_and_runs_are_controlled_over_http(client: httpx.AsyncClient, sandbox: Sandbox) -> None:
    root = str(client.base_url).removesuffix("/v1/")
    fault = {"method": "GET", "path": "/spaces", "kind": "status", "times": None}
    assert (await client.post(f"{root}/_sandbox/faults", json=[fault])).status_code == 201
    assert (await client.get("/api/spaces")).status_code == 503
    assert (await client.delete(f"{root}/_sandbox/faults")).status_code == 204
    assert (await client.get("/api/spaces")).status_code == 200
    begun_run = await client.post(f"{root}/_sandbox/runs", json={"tracker_id": TESLA})
    assert begun_run.json()["internal"]["origin"] == "elsewhere"
    stats = (await client.get(f"{root}/_sandbox/stats")).json()
    assert stats == {
        "requests": {"GET /v1/api/spaces": 2},
        "runs_created": 1,
        "charged": 0.02,
        "balance": 99.98,
    }
    assert len(sandbox.requests) == 2


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("faults", [{"method": "GET", "path": "x", "kind": "explode"}]),
        ("faults", [{"path": "x"}]),
        ("runs", {"tracker_id": "trk_x"}),
        ("runs", {}),
    ],
)
async def test_nonsense_sent_to_the_control_endpoints_is_422(client: httpx.AsyncClient, path: str, body: Any) -> None:
    root = str(client.base_url).removesuffix("/v1/")
    assert (await client.post(f"{root}/_sandbox/{path}", json=body)).status_code == 422
