"""Who may do what: tokens, isolation, console-only operations, limits."""

import httpx
import pytest

from help.eras import virtual_time
from help.seeded import RUN, SPACE, START, TESLA, TOKEN
from help.services import in_process
from quantinal_mcp.sandbox import Sandbox

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "headers", [{"Authorization": f"Bearer {TOKEN}"}, {"X-API-Key": TOKEN}, {"X-API-Token": TOKEN}]
)
async def test_a_token_is_accepted_in_three_headers(sandbox: Sandbox, headers: dict[str, str]) -> None:
    async with httpx.AsyncClient(transport=sandbox.transport(), headers=headers) as api:
        assert (await api.get("http://sandbox/v1/api/spaces")).status_code == 200


@pytest.mark.parametrize("headers", [{}, {"Authorization": TOKEN}, {"X-API-Key": "qapi_other"}])
async def test_without_an_accepted_token_every_endpoint_is_401(sandbox: Sandbox, headers: dict[str, str]) -> None:
    async with httpx.AsyncClient(transport=sandbox.transport(), headers=headers) as api:
        answer = await api.get("http://sandbox/v1/api/spaces")
    assert (answer.status_code, answer.json()) == (401, {"detail": "Invalid or missing API token"})


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/spaces"),
        ("PATCH", f"/api/spaces/{SPACE}"),
        ("DELETE", f"/api/spaces/{SPACE}"),
        ("GET", "/api/billing/invoices"),
        ("POST", "/api/tokens"),
    ],
)
async def test_what_only_the_console_can_do_is_403(api: httpx.AsyncClient, method: str, path: str) -> None:
    answer = await api.request(method, path)
    assert answer.status_code == 403
    assert "web console" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("/api/spaces/spc_x", "Space"),
        ("/api/trackers?space_id=spc_x", "Space"),
        ("/api/trackers/trk_x", "Tracker"),
        ("/api/trackers/trk_x/runs", "Tracker"),
        (f"/api/trackers/{TESLA}/runs/run_x", "Run"),
        ("/api/trackers/trk_x/vault", "Tracker"),
        ("/api/trackers/trk_x/vault/recent", "Tracker"),
        (f"/api/trackers/{TESLA}/vault/sources/x", "Data source"),
    ],
)
async def test_an_unknown_id_is_404(api: httpx.AsyncClient, path: str, what: str) -> None:
    answer = await api.get(path)
    assert (answer.status_code, answer.json()) == (404, {"detail": f"{what} not found"})


async def test_unknown_paths_and_methods_answer_json(api: httpx.AsyncClient) -> None:
    unknown, method = await api.get("/api/nothing"), await api.put(f"/api/trackers/{TESLA}")
    assert (unknown.status_code, unknown.json()) == (404, {"detail": "Not Found"})
    assert (method.status_code, method.json()) == (405, {"detail": "Method Not Allowed"})


async def test_two_accounts_share_nothing() -> None:
    sandbox = Sandbox(start=START, tokens=("qapi_one", "qapi_two"))
    one, two = in_process(sandbox, "qapi_one"), in_process(sandbox, "qapi_two")
    assert (await two.get(f"/api/trackers/{TESLA}")).status_code == 404
    ids = [{space["space_id"] for space in (await api.get("/api/spaces")).json()["data"]} for api in (one, two)]
    assert not ids[0] & ids[1]
    await one.post(f"/api/trackers/{TESLA}/runs")
    assert (sandbox.charged("qapi_one"), sandbox.charged("qapi_two")) == (0.02, 0)
    assert not {run["run_id"] for run in sandbox.runs("qapi_one")} & {run["run_id"] for run in sandbox.runs("qapi_two")}
    assert [request.account for request in sandbox.requests] == [1, 0, 1, 0]


@pytest.mark.parametrize(
    ("method", "path", "limit"),
    [
        ("GET", "/api/skills", 30),
        ("POST", f"/api/trackers/{TESLA}/vault/sources", 30),
        ("GET", f"/api/trackers/{TESLA}/vault/sources", 200),
    ],
)
async def test_a_documented_rate_limit_is_enforced(sandbox: Sandbox, method: str, path: str, limit: int) -> None:
    api = in_process(sandbox)
    body = {"source_name": "s", "data": {"a": 1}} if method == "POST" else None
    statuses = {(await api.request(method, path, json=body)).status_code for _ in range(limit)}
    assert statuses <= {200, 201}
    refused = await api.request(method, path, json=body)
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["Retry-After"]) <= 60


async def test_rate_limits_can_be_off() -> None:
    api = in_process(Sandbox(start=START, rate_limits=False))
    assert {(await api.get("/api/skills")).status_code for _ in range(40)} == {200}


async def test_skills_are_filtered_paged_and_may_be_forbidden(api: httpx.AsyncClient) -> None:
    disabled = (await api.get("/api/skills", params={"status": "disabled"})).json()["data"]
    finance = (await api.get("/api/skills", params={"category": "finance", "page_size": 1, "page": 2})).json()
    assert [skill["skill_id"] for skill in disabled] == ["patents"]
    assert finance["pagination"] == {"page": 2, "page_size": 1, "total_items": 2, "total_pages": 2}
    forbidden = await in_process(Sandbox(skills_forbidden=True)).get("/api/skills")
    assert forbidden.status_code == 403


@virtual_time
async def test_the_date_header_shows_the_skewed_clock() -> None:
    sandbox = Sandbox(start=START, clock_skew=3600)
    answer = await in_process(sandbox).get(f"/api/trackers/{TESLA}/runs/{RUN}")
    assert answer.headers["Date"] == "Sun, 01 Mar 2026 13:00:00 GMT"
