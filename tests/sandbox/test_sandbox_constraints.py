"""Every documented constraint: what is refused, with which status, pointing where."""

import json
from typing import Any

import pytest

from help.seeded import RUN, SOURCE, SPACE, TESLA, tracker_body
from help.services import in_process
from quantinal_mcp.sandbox import Sandbox

pytestmark = pytest.mark.anyio

CREATE = f"/api/spaces/{SPACE}/trackers"
RUNS = f"/api/trackers/{TESLA}/runs"
VAULT = f"/api/trackers/{TESLA}/vault"
CONFIG: dict[str, Any] = tracker_body()["agent_config"]
NOTIFY: dict[str, Any] = {"notification_config": {}}


def schedule(**fields: Any) -> dict[str, Any]:
    return {"run_mode": "scheduled", "schedule": {"start_time": "2026-04-01T00:00:00Z", "interval_minutes": 5} | fields}


INVALID_TRACKERS: list[tuple[dict[str, Any], str]] = [
    ({"name": ""}, "name"),
    ({"name": "x" * 51}, "name"),
    ({"name": 5}, "name"),
    ({"name": None}, "name"),
    ({"description": ""}, "description"),
    ({"description": "x" * 501}, "description"),
    ({"run_mode": "hourly"}, "run_mode"),
    ({"run_mode": None}, "run_mode"),
    ({"agent_config": None}, "agent_config"),
    ({"agent_config": "web"}, "agent_config"),
    ({"agent_config": CONFIG | {"instruction": "x" * 1001}}, "instruction"),
    ({"agent_config": CONFIG | {"instruction": ""}}, "instruction"),
    ({"agent_config": {"skills": ["web"], "instruction": "x"}}, "score_meaning"),
    ({"agent_config": CONFIG | {"skills": "web"}}, "skills"),
    ({"agent_config": CONFIG | {"skills": [1]}}, "skills"),
    ({"agent_config": CONFIG | {"reasoning_mode": "zen"}}, "reasoning_mode"),
    ({"agent_config": CONFIG | {"linked_trackers": ["trk"] * 11}}, "linked_trackers"),
    ({"notification_config": {"score_threshold": 101}}, "score_threshold"),
    ({"notification_config": {"score_threshold": -0.1}}, "score_threshold"),
    ({"notification_config": {"score_threshold": True}}, "score_threshold"),
    ({"notification_config": {"score_threshold": 10**400}}, "score_threshold"),
    ({"notification_config": {"email_enabled": "yes"}}, "email_enabled"),
    ({"notification_config": {"webhook_enabled": 1}}, "webhook_enabled"),
    (schedule(interval_minutes=0), "interval_minutes"),
    (schedule(interval_minutes=44641), "interval_minutes"),
    (schedule(interval_minutes=True), "interval_minutes"),
    (schedule(interval_minutes=1.5), "interval_minutes"),
    (schedule(start_time="2026-04-01T00:00:00"), "start_time"),
    (schedule(start_time="tomorrow"), "start_time"),
    (schedule(end_time=7), "end_time"),
    ({"shared_vault_tracker_id": 5}, "shared_vault_tracker_id"),
]
SENSELESS_TRACKERS: list[dict[str, Any]] = [
    {"agent_config": CONFIG | {"skills": ["astrology"]}},
    {"agent_config": CONFIG | {"skills": ["patents"]}},
    {"agent_config": CONFIG | {"linked_trackers": ["trk_missing"]}},
    {"shared_vault_tracker_id": "trk_missing"},
    {"run_mode": "scheduled", "schedule": None},
    schedule(end_time="2026-04-01T00:00:00Z"),
]


@pytest.mark.parametrize("method", ["POST", "PATCH"])
@pytest.mark.parametrize(("changes", "field"), INVALID_TRACKERS)
async def test_an_invalid_tracker_field_is_422_and_named(
    sandbox: Sandbox, method: str, changes: dict[str, Any], field: str
) -> None:
    path, body = (CREATE, tracker_body(**changes)) if method == "POST" else (f"/api/trackers/{TESLA}", changes)
    answer = await in_process(sandbox).request(method, path, json=body)
    assert answer.status_code == 422
    (issue,) = answer.json()["detail"]
    assert issue["loc"][0] == "body"
    assert field in issue["loc"]
    assert issue.keys() == {"loc", "msg", "type"}


@pytest.mark.parametrize("method", ["POST", "PATCH"])
@pytest.mark.parametrize("changes", SENSELESS_TRACKERS)
async def test_a_tracker_that_makes_no_sense_is_400(sandbox: Sandbox, method: str, changes: dict[str, Any]) -> None:
    path, body = (CREATE, tracker_body(**changes)) if method == "POST" else (f"/api/trackers/{TESLA}", changes)
    answer = await in_process(sandbox).request(method, path, json=body)
    assert answer.status_code == 400
    assert isinstance(answer.json()["detail"], str)


@pytest.mark.parametrize("days", [0, 366, "7", True])
async def test_a_vault_lives_one_to_365_days(sandbox: Sandbox, days: Any) -> None:
    answer = await in_process(sandbox).post(CREATE, json=tracker_body(vault_ttl_days=days))
    assert answer.json()["detail"][0]["loc"] == ["body", "vault_ttl_days"]


@pytest.mark.parametrize("missing", ["name", "description", "run_mode", "agent_config"])
async def test_a_new_tracker_needs_its_required_fields(sandbox: Sandbox, missing: str) -> None:
    body = tracker_body()
    del body[missing]
    answer = await in_process(sandbox).post(CREATE, json=body)
    assert answer.json()["detail"] == [{"loc": ["body", missing], "msg": "Field required", "type": "missing"}]


async def test_all_limits_are_inclusive(sandbox: Sandbox) -> None:
    body = tracker_body(
        name="n" * 50,
        description="d" * 500,
        vault_ttl_days=365,
        agent_config=CONFIG | {"instruction": "i" * 1000},
        notification_config={"score_threshold": 100},
        **schedule(interval_minutes=44640, end_time="2026-04-01T02:00:01+02:00"),
    )
    answer = await in_process(sandbox).post(CREATE, json=body)
    assert answer.status_code == 201
    assert answer.json()["schedule"]["end_time"] == "2026-04-01T00:00:01Z"


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/api/spaces", "page=0"),
        ("/api/spaces", "page=one"),
        ("/api/spaces", "page_size=0"),
        ("/api/spaces", "page_size=101"),
        (f"/api/trackers?space_id={SPACE}", "page_size=1.5"),
        ("/api/trackers", "page=1"),
        (RUNS, "status=done"),
        (RUNS, "notification_status=sent"),
        (RUNS, "start_date=2026-01-01T00:00:00"),
        (RUNS, "end_date=soon"),
        (RUNS, "min_score=-1"),
        (RUNS, "max_score=101"),
        (RUNS, "max_score=high"),
        (RUNS, "max_score=nan"),
        (f"{VAULT}/sources", "page_size=1000"),
        (f"{VAULT}/recent", "limit=0"),
        (f"{VAULT}/recent", "limit=101"),
        (f"{VAULT}/recent", "content_types=text,video"),
        (f"{VAULT}/recent", "since_hours=0"),
        ("/api/skills", "status=retired"),
    ],
)
async def test_an_invalid_query_parameter_is_422(sandbox: Sandbox, path: str, query: str) -> None:
    answer = await in_process(sandbox).get(path + ("&" if "?" in path else "?") + query)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"][0] == "query"


INVALID_BODIES: list[tuple[str, str, Any]] = [
    ("POST", RUNS, {"sync": "true"}),
    ("POST", RUNS, {"context": "note"}),
    ("POST", RUNS, [1]),
    ("PATCH", f"{RUNS}/{RUN}", {}),
    ("PATCH", f"{RUNS}/{RUN}", {"comment": "x" * 1001}),
    ("PATCH", f"{RUNS}/{RUN}", {"comment": 1}),
    ("POST", f"{VAULT}/sources", {"data": {}}),
    ("POST", f"{VAULT}/sources", {"source_name": "", "data": {}}),
    ("POST", f"{VAULT}/sources", {"source_name": "x" * 201, "data": {}}),
    ("POST", f"{VAULT}/sources", {"source_name": "a"}),
    ("POST", f"{VAULT}/sources", {"source_name": "a", "data": "text"}),
    ("POST", f"{VAULT}/sources", {"source_name": "a", "data": [{}, 1]}),
    ("POST", f"{VAULT}/sources", {"source_name": "a", "data": [{}] * 1001}),
    ("POST", f"{VAULT}/sources", {"source_name": "a", "data": {"x": "x" * 10 * 1024 * 1024}}),
    ("PATCH", f"{VAULT}/sources/{SOURCE}", {"name": ""}),
    ("PATCH", f"{VAULT}/sources/{SOURCE}", {"name": None}),
    ("PATCH", f"{VAULT}/sources/{SOURCE}", {"name": "x" * 201}),
    ("PATCH", f"{VAULT}/sources/{SOURCE}", {"description": "x" * 501}),
]


@pytest.mark.parametrize(("method", "path", "body"), INVALID_BODIES, ids=range(18))
async def test_an_invalid_body_is_422_and_changes_nothing(sandbox: Sandbox, method: str, path: str, body: Any) -> None:
    api = in_process(sandbox)
    before = (await api.get(f"{VAULT}/sources")).json()
    answer = await api.request(method, path, json=body)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"][0] == "body"
    assert (await api.get(f"{VAULT}/sources")).json() == before
    assert sandbox.charged() == 0


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.exe", b"MZ"), ("noextension", b"x"), ("a.pdf", b"not one"), ("a.txt", b"\xff\xfe"), ("a.md", b"")],
)
async def test_a_file_of_the_wrong_kind_is_422(sandbox: Sandbox, name: str, content: bytes) -> None:
    answer = await in_process(sandbox).post(f"{VAULT}/sources", files={"file": (name, content)})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", "file"]


@pytest.mark.parametrize("content", [b"{", b'{"a": NaN}', b"\xff", b'{"sync": "\\ud800"}'])
async def test_malformed_json_is_400(sandbox: Sandbox, content: bytes) -> None:
    answer = await in_process(sandbox).post(RUNS, content=content, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()) == (400, {"detail": "Malformed JSON in request body"})


async def test_a_thousand_rows_are_accepted(sandbox: Sandbox) -> None:
    body = json.dumps({"source_name": "many", "data": [{"n": n} for n in range(1000)]})
    answer = await in_process(sandbox).post(
        f"{VAULT}/sources", content=body, headers={"Content-Type": "application/json; charset=utf-8"}
    )
    assert (answer.status_code, answer.json()["rows_processed"]) == (201, 1000)
