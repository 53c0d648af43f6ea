"""What happens to trackers: null and absence, replacement, deletion, sharing."""

from typing import Any

import httpx
import pytest

from help.seeded import SPACE, TESLA, tracker_body
from quantinal_mcp.sandbox import Sandbox

pytestmark = pytest.mark.anyio

CREATE = f"/api/spaces/{SPACE}/trackers"
SCHEDULE = {"start_time": "2026-04-01T09:00:00+02:00", "interval_minutes": 1440}


async def made(api: httpx.AsyncClient, **changes: Any) -> dict[str, Any]:
    answer = await api.post(CREATE, json=tracker_body(**changes))
    assert answer.status_code == 201, answer.text
    return answer.json()


async def test_a_new_tracker_has_defaults_and_is_listed(api: httpx.AsyncClient) -> None:
    tracker = await made(api, notification_config={})
    assert tracker["agent_config"] == tracker_body()["agent_config"] | {
        "reasoning_mode": "basic",
        "linked_trackers": [],
    }
    assert tracker["notification_config"] == {
        "score_threshold": 40,
        "email_enabled": False,
        "webhook_enabled": False,
    }
    assert (tracker["category"], tracker["schedule"], tracker["last_run_at"]) == ("finance", None, None)
    listed = (await api.get("/api/trackers", params={"space_id": SPACE})).json()
    assert tracker in listed["data"]
    assert (await api.get(f"/api/spaces/{SPACE}")).json()["tracker_count"] == listed["pagination"]["total_items"]


async def test_a_null_schedule_is_cleared_only_from_a_manual_tracker(api: httpx.AsyncClient) -> None:
    tracker = await made(api, run_mode="scheduled", schedule=SCHEDULE)
    path = f"/api/trackers/{tracker['tracker_id']}"
    assert tracker["schedule"] == {
        "start_time": "2026-04-01T07:00:00Z",
        "interval_minutes": 1440,
        "end_time": None,
    }
    assert (await api.patch(path, json={"schedule": None})).status_code == 400
    assert (await api.patch(path, json={"run_mode": "manual"})).json()["schedule"] == tracker["schedule"]
    assert (await api.patch(path, json={"schedule": None})).json()["schedule"] is None


async def test_agent_config_is_replaced_as_a_unit(api: httpx.AsyncClient) -> None:
    config = tracker_body()["agent_config"]
    tracker = await made(api, agent_config=config | {"reasoning_mode": "super", "linked_trackers": [TESLA]})
    path = f"/api/trackers/{tracker['tracker_id']}"
    assert (await api.patch(path, json={"agent_config": {"reasoning_mode": "basic"}})).status_code == 422
    replaced = (await api.patch(path, json={"agent_config": config})).json()["agent_config"]
    assert (replaced["reasoning_mode"], replaced["linked_trackers"]) == ("basic", [])


async def test_a_patch_leaves_what_it_does_not_name(api: httpx.AsyncClient) -> None:
    before = (await api.get(f"/api/trackers/{TESLA}")).json()
    after = (await api.patch(f"/api/trackers/{TESLA}", json={"name": "Tesla"})).json()
    assert after == before | {"name": "Tesla", "updated_at": after["updated_at"]}
    assert after["updated_at"] > before["updated_at"]
    cleared = (await api.patch(f"/api/trackers/{TESLA}", json={"notification_config": None})).json()
    assert cleared["notification_config"] is None


async def test_a_tracker_can_link_neither_itself_nor_another_space(api: httpx.AsyncClient) -> None:
    spaces = (await api.get("/api/spaces")).json()["data"]
    foreign = (await api.get("/api/trackers", params={"space_id": spaces[1]["space_id"]})).json()["data"][0]
    config = tracker_body()["agent_config"]
    for linked in (TESLA, foreign["tracker_id"]):
        body = {"agent_config": config | {"linked_trackers": [linked]}}
        assert (await api.patch(f"/api/trackers/{TESLA}", json=body)).status_code == 400


async def test_a_shared_vault_protects_its_owner_until_it_is_let_go(api: httpx.AsyncClient) -> None:
    guest = await made(api, shared_vault_tracker_id=TESLA)
    guest_path = f"/api/trackers/{guest['tracker_id']}"
    assert (await api.get(f"{guest_path}/vault")).json() == (await api.get(f"/api/trackers/{TESLA}/vault")).json()
    refused = await api.delete(f"/api/trackers/{TESLA}")
    assert (refused.status_code, refused.json()["detail"]) == (
        409,
        f"Cannot delete tracker: its vault is shared by 1 other tracker(s): ['{guest['tracker_id']}']. "
        "They must set shared_vault_tracker_id to null first.",
    )
    assert (await api.patch(guest_path, json={"shared_vault_tracker_id": guest["tracker_id"]})).status_code == 400
    await api.patch(guest_path, json={"shared_vault_tracker_id": None})
    assert (await api.get(f"{guest_path}/vault")).json()["total_sources"] == 0
    deleted = await api.delete(f"/api/trackers/{TESLA}")
    assert deleted.json() == {
        "success": True,
        "message": "Tracker deleted successfully",
        "data": None,
        "errors": None,
    }
    assert (await api.get(f"/api/trackers/{TESLA}")).status_code == 404


async def test_deleting_a_tracker_deletes_its_runs(api: httpx.AsyncClient, sandbox: Sandbox) -> None:
    assert any(run["tracker_id"] == TESLA for run in sandbox.runs())
    await api.delete(f"/api/trackers/{TESLA}")
    assert not any(run["tracker_id"] == TESLA for run in sandbox.runs())
