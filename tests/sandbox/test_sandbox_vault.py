"""What happens to vault data: append, rename, expiry, the order of recent items."""

import json

import anyio
import httpx
import pytest

from help.seeded import SPACE, TESLA, tracker_body
from help.services import in_process
from quantinal_mcp.sandbox import Sandbox

pytestmark = pytest.mark.anyio

VAULT = f"/api/trackers/{TESLA}/vault"


async def test_an_upload_under_an_existing_name_appends(api: httpx.AsyncClient) -> None:
    first = (await api.post(f"{VAULT}/sources", json={"source_name": "m", "data": {"a": 1}})).json()
    again = await api.post(f"{VAULT}/sources", json={"source_name": "m", "data": [{"a": 2}, {"a": 3}]})
    second = again.json()
    assert again.status_code == 201
    assert (first["is_new_source"], first["data_count"], first["rows_processed"]) == (True, 1, 1)
    assert (second["is_new_source"], second["data_count"], second["rows_processed"]) == (False, 3, 2)
    assert second["source_id"] == first["source_id"]
    assert second["size_bytes"] == 3 * first["size_bytes"]


async def test_recent_data_is_newest_first_and_filtered(api: httpx.AsyncClient) -> None:
    await api.post(f"{VAULT}/sources", json={"source_name": "m", "data": [{"a": 1}, {"a": 2}]})
    recent = (await api.get(f"{VAULT}/recent", params={"limit": 2})).json()
    assert [json.loads(item["content"]) for item in recent["results"]] == [{"a": 2}, {"a": 1}]
    texts = (await api.get(f"{VAULT}/recent", params={"content_types": "text"})).json()
    assert {item["content_type"] for item in texts["results"]} == {"text"}
    old = (await api.get(f"{VAULT}/recent", params={"since_hours": 1, "limit": 100})).json()
    assert old["total"] == 2


@pytest.mark.parametrize(
    ("name", "content", "contents"),
    [
        ("a.csv", b"\xef\xbb\xbfx,y\n1,2\n3,4\n", ['{"x": "1", "y": "2"}', '{"x": "3", "y": "4"}']),
        ("a.TXT", b"one\n\ntwo\nlines\n", ["one", "two\nlines"]),
        ("a.md", b"# Title\n\nText", ["# Title", "Text"]),
    ],
)
async def test_a_file_becomes_items(api: httpx.AsyncClient, name: str, content: bytes, contents: list[str]) -> None:
    uploaded = (await api.post(f"{VAULT}/sources", files={"file": (name, content)})).json()
    recent = (await api.get(f"{VAULT}/recent", params={"limit": len(contents)})).json()["results"]
    assert uploaded["name"] == name
    assert [item["content"] for item in reversed(recent)] == contents


async def test_an_upload_that_is_neither_file_nor_json_is_400(api: httpx.AsyncClient) -> None:
    answer = await api.post(f"{VAULT}/sources", content=b"x", headers={"Content-Type": "text/plain"})
    assert answer.status_code == 400


async def test_a_large_file_arrives_whole(sandbox: Sandbox) -> None:
    content = b"x" * (3 << 20)
    answer = await in_process(sandbox).post(f"{VAULT}/sources", files={"file": ("big.txt", content)})
    assert (answer.status_code, answer.json()["size_bytes"]) == (201, len(content))


async def test_a_source_is_renamed_described_and_deleted_with_its_data(api: httpx.AsyncClient) -> None:
    source = (await api.get(f"{VAULT}/sources")).json()["data"][0]
    path = f"{VAULT}/sources/{source['source_id']}"
    changed = (await api.patch(path, json={"name": "n", "description": "d"})).json()
    assert changed == source | {"name": "n", "description": "d", "updated_at": changed["updated_at"]}
    assert (await api.patch(path, json={"description": None})).json()["description"] is None
    assert (await api.patch(path, json={"name": "deliveries.csv"})).status_code == 400
    before = (await api.get(VAULT)).json()
    assert (await api.delete(path)).json()["message"] == "Data source deleted successfully"
    after = (await api.get(VAULT)).json()
    assert after["total_data_items"] == before["total_data_items"] - source["data_count"]
    assert (await api.get(path)).status_code == 404


@pytest.mark.parametrize("anyio_backend", ["trio_virtual"], indirect=True)
async def test_vault_data_expires_after_its_days(sandbox: Sandbox) -> None:
    api = in_process(sandbox)
    tracker = (await api.post(f"/api/spaces/{SPACE}/trackers", json=tracker_body(vault_ttl_days=2))).json()
    vault = f"/api/trackers/{tracker['tracker_id']}/vault"
    await api.post(f"{vault}/sources", json={"source_name": "s", "data": {"a": 1}})
    await anyio.sleep(86400)
    await api.post(f"{vault}/sources", json={"source_name": "s", "data": {"a": 2}})
    await anyio.sleep(86399)
    await anyio.sleep(2)
    assert (await api.get(vault)).json()["total_data_items"] == 1
