"""Uploads: how a file is spelt in a call, and what is said of rows, repeats and whose vault it is."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from help.callers import Caller, connected
from help.eras import both_eras, virtual_time
from help.inside import items
from help.seeded import NEW, TESLA, UNUSED, Json
from quantinal_mcp.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("filename", "kind"), [("a.txt", "TXT"), ("a.md", "MD"), ("A.CSV", "CSV"), ("é ü.txt", "TXT"), ("a.b.pdf", "PDF")]
)
async def test_each_kind_of_file_is_taken_from_the_call(call: Caller, filename: str, kind: str) -> None:
    content = b"%PDF-1.4" if kind == "PDF" else "a\nsömething".encode()
    done = await call(
        "upload_vault_file", tracker_id=UNUSED, filename=filename, content_base64=base64.b64encode(content).decode()
    )
    assert (done["source_type"], done["name"], done["is_new_source"]) == (kind, filename, True)


HI = "hi? ~~ ÿÿÿ >>"
PLAIN = base64.b64encode(HI.encode()).decode()
SAFE = base64.urlsafe_b64encode(HI.encode()).decode()


@pytest.mark.parametrize(
    "spelt",
    [
        PLAIN,
        PLAIN.rstrip("="),
        f" {PLAIN[:5]}\r\n{PLAIN[5:9]}\n\t{PLAIN[9:]} ",
        SAFE,
        SAFE.rstrip("="),
        f"data:text/plain;base64,{PLAIN}",
        f"data:text/plain;charset=utf-8;base64,{SAFE}",
        f"DATA:;BASE64,{PLAIN}",
        f"data:text/plain;base64,{PLAIN.replace('+', '%2B').replace('/', '%2F').replace('=', '%3D')}",
        f"data:text/plain;base64,\n{PLAIN}\n",
    ],
)
async def test_base64_is_taken_in_its_common_spellings(call: Caller, sandbox: Sandbox, spelt: str) -> None:
    assert {"+", "/", "="} <= set(PLAIN)
    await call("upload_vault_file", tracker_id=UNUSED, filename="a.txt", content_base64=spelt)
    assert items(sandbox) == {"a.txt": [HI]}


@pytest.mark.parametrize(
    "spelt", ["a", "aGk=aGk=", "aGk!", "%61Gk=", "data:text/plain,hello", "data:;base64,a", "é==="]
)
async def test_what_is_no_base64_is_refused_with_how_to_spell_it(call: Caller, spelt: str) -> None:
    text = await call.refused("upload_vault_file", tracker_id=UNUSED, filename="a.txt", content_base64=spelt)
    assert "Encode the whole file in base64" in text


async def test_a_new_source_is_described_as_its_upload_says(call: Caller) -> None:
    rows = {"tracker_id": UNUSED, "source_name": "rows", "description": "Daily closes", "data": {"n": 1}}
    made = await call("upload_vault_json", **rows)
    kept = await call("get_vault_source", tracker_id=UNUSED, source_id=made["source_id"])
    assert kept["description"] == "Daily closes"


async def test_an_upload_to_an_existing_name_appends(call: Caller, sandbox: Sandbox) -> None:
    await call("upload_vault_json", tracker_id=TESLA, source_name="earnings-data", data=[{"n": 1}, {"n": 2}])
    assert len(items(sandbox, TESLA)["earnings-data"]) == 5


async def test_an_upload_says_how_many_rows_there_were_and_are(call: Caller) -> None:
    where = {"tracker_id": UNUSED, "source_name": "rows"}
    first = await call("upload_vault_json", **where, data=[{"n": 1}, {"n": 2}])
    assert (first["rows_before"], first["rows_after"], first["rows_processed"]) == (0, 2, 2)
    second = await call("upload_vault_json", **where, data={"n": 3})
    assert (second["rows_before"], second["rows_after"]) == (2, 3)
    assert "note" not in second


TWICE = "The same rows were in this source already, and are there twice now: tell the user."
LONG = "\n\n".join(f"Paragraph {number} of a report." for number in range(40))


@both_eras
@pytest.mark.parametrize(
    ("tool", "first", "again"),
    [
        ("upload_vault_json", {"data": [{"a": 1, "b": "x"}, {"a": 2}]}, {"data": [{"a": 2}, {"b": "x", "a": 1}]}),
        ("upload_vault_json", {"data": [{"n": n} for n in range(300)]}, {"data": [{"n": n} for n in range(300)]}),
        ("upload_vault_json", {"data": [{"n": n} for n in range(9)]}, {"data": {"n": 4}}),
        (
            "upload_vault_file",
            {"filename": "t.csv", "content": "a,b\n1,2\n3,4\n"},
            {"filename": "u.csv", "content": "b,a\r\n4,3\r\n2,1\r\n"},
        ),
        ("upload_vault_file", {"filename": "t.txt", "content": LONG}, {"filename": "t.md", "content": f"\n{LONG}\n\n"}),
    ],
)
async def test_rows_that_the_vault_holds_already_are_noticed_by_another_process_too(
    sandbox: Sandbox, mode: str, tool: str, first: Json, again: Json
) -> None:
    where = {"tracker_id": UNUSED, "source_name": "rows"}
    async with connected(sandbox, mode) as call:
        assert "note" not in await call(tool, **where, **first)
    async with connected(sandbox, mode) as call:
        assert (await call(tool, **where, **again))["note"] == TWICE


async def test_what_this_process_uploaded_is_known_though_the_vault_does_not_show_it(call: Caller) -> None:
    pdf = {"tracker_id": UNUSED, "filename": "a.pdf", "content_base64": base64.b64encode(b"%PDF-1.4 x").decode()}
    assert "note" not in await call("upload_vault_file", **pdf)
    assert (await call("upload_vault_file", **pdf))["note"] == TWICE
    other = {**pdf, "content_base64": base64.b64encode(b"%PDF-1.4 y").decode()}
    assert "note" not in await call("upload_vault_file", **other)
    elsewhere = await call("upload_vault_file", **{**pdf, "source_name": "elsewhere"})
    assert "note" not in elsewhere


@virtual_time
async def test_what_this_process_uploaded_is_known_though_the_sources_cannot_be_read(
    call: Caller, sandbox: Sandbox
) -> None:
    rows = {"tracker_id": UNUSED, "source_name": "rows", "data": {"a": 1}}
    assert "note" not in await call("upload_vault_json", **rows)
    sandbox.faults.add(Fault("GET", "/vault/sources$", "status", None, code=503))
    again = await call("upload_vault_json", **rows)
    assert again["note"] == TWICE
    assert "rows_before" not in again
    assert "note" not in await call("upload_vault_json", **{**rows, "data": {"a": 2}})


@pytest.mark.parametrize(("words", "is_compared"), [(200_000, True), (200_001, False)])
async def test_up_to_a_megabyte_is_compared_with_what_is_there(sandbox: Sandbox, words: int, is_compared: bool) -> None:
    text = {"tracker_id": UNUSED, "filename": "t.txt", "content": "word " * words}
    async with connected(sandbox) as call:
        await call("upload_vault_file", **text)
    async with connected(sandbox) as call:
        await call("upload_vault_file", **text)
    assert any(request.path.endswith("/vault/recent") for request in sandbox.requests) is is_compared


@pytest.mark.parametrize("data", [[{"a": 1}, {"a": 3}], [{"a": 1}, {"a": 1}], {"a": 1, "b": None}])
async def test_rows_that_are_new_in_part_are_not_called_repeated(call: Caller, data: Any) -> None:
    where = {"tracker_id": UNUSED, "source_name": "rows"}
    await call("upload_vault_json", **where, data=[{"a": 1}, {"a": 2}])
    assert "note" not in await call("upload_vault_json", **where, data=data)


async def test_a_source_that_was_emptied_or_is_new_has_no_repeats(call: Caller, sandbox: Sandbox) -> None:
    where = {"tracker_id": UNUSED, "source_name": "rows", "data": {"a": 1}}
    made = await call("upload_vault_json", **where)
    await call("delete_vault_source", tracker_id=UNUSED, source_id=made["source_id"], confirm_name="rows")
    assert "note" not in await call("upload_vault_json", **where)


@both_eras
async def test_an_upload_into_a_shared_vault_says_whose_it_is(call: Caller, sandbox: Sandbox) -> None:
    guest = (await call("create_tracker", **{**NEW, "shared_vault_tracker_id": TESLA}))["tracker_id"]
    done = await call("upload_vault_json", tracker_id=guest, source_name="rows", data={"a": 1})
    assert done["note"] == f'This is the vault of tracker "Tesla Sentiment" ({TESLA}), which this one shares.'
    assert "rows" in items(sandbox, TESLA)
    vault = await call("get_vault", tracker_id=guest)
    assert vault["shared_from"] == {"tracker_id": TESLA, "name": "Tesla Sentiment"}
    assert "shared_from" not in await call("get_vault", tracker_id=TESLA)


@virtual_time
async def test_what_is_only_good_to_know_does_not_stop_an_upload(call: Caller, sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("GET", f"/trackers/{TESLA}$", "hang_before", None, seconds=1000))
    sandbox.faults.add(Fault("GET", "/vault/recent$", "status", None, code=500))
    rows = {"tracker_id": TESLA, "source_name": "earnings-data", "data": {"a": 1}}
    assert (await call("upload_vault_json", **rows))["rows_after"] == 4
    assert (await call("get_vault", tracker_id=TESLA))["total_sources"]
