"""Uploads: what may be read from this machine, and an upload or a create whose answer was lost is sent once."""

from __future__ import annotations

import base64
import os
import socket
import stat
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from help.callers import Caller, connected, tracker_of
from help.eras import both_eras, virtual_time
from help.seeded import NEW, SPACE, TESLA, UNUSED, Json
from quantinal_mcp.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder that the operator opened, with a file in it, beside a secret that is not."""
    opened = tmp_path / "opened"
    (opened / "sub").mkdir(parents=True)
    (opened / "notes.txt").write_text("one\n\ntwo")
    (opened / "sub" / "table.csv").write_text("a,b\n1,2\n")
    (opened / "page.md").write_text("# One")
    (tmp_path / "secret.txt").write_text("SECRET")
    (tmp_path / "opened-too").mkdir()
    (tmp_path / "opened-too" / "notes.txt").write_text("SECRET")
    return opened.resolve()


@pytest.fixture
async def reader(sandbox: Sandbox, root: Path) -> AsyncGenerator[Caller]:
    async with connected(sandbox, upload_roots=(root,), max_upload_mb=0.001) as caller:
        yield caller


def items(sandbox: Sandbox, tracker_id: str = UNUSED) -> dict[str, list[str]]:
    return {
        source.name: [item.content for item in source.items]
        for source in tracker_of(sandbox, tracker_id).vault.sources.values()
    }


async def upload(call: Caller, path: object, **more: Any) -> Json:
    return await call("upload_vault_file", tracker_id=UNUSED, path=str(path), **more)


async def test_a_file_inside_an_opened_folder_is_uploaded(reader: Caller, sandbox: Sandbox, root: Path) -> None:
    await upload(reader, root / "notes.txt")
    await upload(reader, root / "sub" / "table.csv", source_name="Table")
    await upload(reader, root / "sub" / ".." / "page.md", filename="renamed.md")
    assert items(sandbox) == {"notes.txt": ["one", "two"], "Table": ['{"a": "1", "b": "2"}'], "renamed.md": ["# One"]}


async def test_a_link_that_stays_inside_is_followed(reader: Caller, sandbox: Sandbox, root: Path) -> None:
    (root / "link.txt").symlink_to(root / "notes.txt")
    (root / "folder").symlink_to(root / "sub")
    await upload(reader, root / "link.txt")
    await upload(reader, root / "folder" / "table.csv")
    assert items(sandbox).keys() == {"notes.txt", "table.csv"}


async def test_a_root_may_itself_be_reached_by_a_link(sandbox: Sandbox, root: Path, tmp_path: Path) -> None:
    (tmp_path / "way").symlink_to(root)
    async with connected(sandbox, upload_roots=(root,)) as call:
        await upload(call, tmp_path / "way" / "notes.txt")


OUTSIDE = (
    "../secret.txt",
    "sub/../../secret.txt",
    "../opened-too/notes.txt",
    "link.txt",
    "linked/secret.txt",
    "chain.txt",
    "loop.txt",
    "notes.txt/../../secret.txt",
    "missing.txt",
    "notes.txt/x.txt",
    "\x00notes.txt",
    "notes.txt\x00",
    "notes.txt\x00.md",
    "....//secret.txt",
    "%2e%2e/secret.txt",
    "x" * 300 + ".txt",
)


async def test_a_path_that_leads_outside_or_nowhere_is_refused(reader: Caller, root: Path, tmp_path: Path) -> None:
    (root / "link.txt").symlink_to(tmp_path / "secret.txt")
    (root / "linked").symlink_to(tmp_path)
    (root / "chain.txt").symlink_to(root / "link.txt")
    (root / "loop.txt").symlink_to(root / "loop.txt")
    for path in OUTSIDE:
        text = await reader.refused("upload_vault_file", tracker_id=UNUSED, path=f"{root}/{path}")
        assert "SECRET" not in text


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "~/secret.txt", "notes.txt", ".", "/", "~nobody/x.txt", "file:///notes.txt", "C:\\x.txt"]
)
async def test_a_path_elsewhere_is_refused_naming_the_folders(reader: Caller, root: Path, path: str) -> None:
    assert str(root) in await reader.refused("upload_vault_file", tracker_id=UNUSED, path=path)


async def test_only_regular_files_are_read(reader: Caller, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)  # the path of a socket is short
    os.mkfifo(root / "pipe.txt")
    (root / "folder.txt").mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.txt")
        # A socket cannot even be opened.
        for name, why in (("pipe.txt", "regular"), ("folder.txt", "regular"), ("socket.txt", "cannot be read")):
            assert why in await reader.refused("upload_vault_file", tracker_id=UNUSED, path=str(root / name))


async def test_a_device_is_not_read(reader: Caller, root: Path) -> None:
    try:
        os.mknod(root / "zero.txt", 0o600 | stat.S_IFCHR, os.makedev(1, 5))
        (root / "zero.txt").open("rb").close()
    except PermissionError:
        pytest.skip("only root makes devices, and not everywhere")
    text = await reader.refused("upload_vault_file", tracker_id=UNUSED, path=str(root / "zero.txt"))
    assert "not a regular file" in text


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
async def test_an_unreadable_file_is_refused(reader: Caller, root: Path) -> None:
    (root / "notes.txt").chmod(0)
    await reader.refused("upload_vault_file", tracker_id=UNUSED, path=str(root / "notes.txt"))


@pytest.mark.parametrize("name", ["a.exe", "a", "a.txt.sh", ".env", "id_rsa"])
async def test_only_documented_kinds_of_files_are_read(reader: Caller, root: Path, name: str) -> None:
    (root / name).write_text("x")
    for filename in ({}, {"filename": "harmless.txt"}):
        text = await reader.refused("upload_vault_file", tracker_id=UNUSED, path=str(root / name), **filename)
        assert "PDF, CSV, TXT and MD" in text


async def test_a_file_above_the_limit_is_refused(reader: Caller, sandbox: Sandbox, root: Path) -> None:
    where = {"tracker_id": UNUSED}
    (root / "big.txt").write_bytes(b"x" * 1001)
    big = base64.b64encode(b"x" * 1001).decode()
    for one in (
        {"path": str(root / "big.txt")},
        {"filename": "a.txt", "content": "x" * 1001},
        {"filename": "a.txt", "content": "é" * 501},
        {"filename": "a.txt", "content_base64": big},
    ):
        assert "QUANTINAL_MAX_UPLOAD_MB" in await reader.refused("upload_vault_file", **where, **one)
    (root / "full.txt").write_bytes(b"x" * 1000)
    await upload(reader, root / "full.txt")
    (root / "empty.txt").touch()
    assert "empty" in await reader.refused("upload_vault_file", **where, path=str(root / "empty.txt"))


async def test_without_opened_folders_no_path_is_read(call: Caller, root: Path) -> None:
    text = await call.refused("upload_vault_file", tracker_id=UNUSED, path=str(root / "notes.txt"))
    assert "QUANTINAL_UPLOAD_ROOTS" in text


async def test_several_folders_may_be_opened(sandbox: Sandbox, root: Path, tmp_path: Path) -> None:
    other = (tmp_path / "opened-too").resolve()
    async with connected(sandbox, upload_roots=(root, other)) as call:
        await upload(call, other / "notes.txt")
        text = await call.refused("upload_vault_file", tracker_id=UNUSED, path=str(tmp_path / "secret.txt"))
    assert str(root) in text
    assert str(other) in text


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


async def test_more_than_a_megabyte_is_not_compared_with_what_is_there(sandbox: Sandbox) -> None:
    text = {"tracker_id": UNUSED, "filename": "t.txt", "content": "word " * 200_001}
    async with connected(sandbox) as call:
        await call("upload_vault_file", **text)
    async with connected(sandbox) as call:
        assert "note" not in await call("upload_vault_file", **text)
    assert not any(request.path.endswith("/vault/recent") for request in sandbox.requests)


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


UPLOADS: list[tuple[str, Json]] = [
    ("upload_vault_json", {"tracker_id": TESLA, "source_name": "rows", "data": [{"n": 1}, {"n": 2}]}),
    ("upload_vault_json", {"tracker_id": TESLA, "source_name": "earnings-data", "data": {"n": 1}}),
    ("upload_vault_file", {"tracker_id": TESLA, "filename": "n.txt", "content": "one\n\ntwo"}),
    (
        "upload_vault_file",
        {"tracker_id": TESLA, "filename": "n.txt", "content": "one", "source_name": "deliveries.csv"},
    ),
]
ARRIVED = ("drop_after", "half", "act_then_status", "hang_after")


@virtual_time
@pytest.mark.parametrize(
    ("tool", "arguments", "rows"), [(*one, rows) for one, rows in zip(UPLOADS, (2, 1, 2, 1), strict=True)]
)
@pytest.mark.parametrize("kind", ARRIVED)
async def test_an_upload_that_arrived_though_its_answer_was_lost_is_a_success(
    call: Caller, sandbox: Sandbox, tool: str, arguments: Json, rows: int, kind: Any
) -> None:
    before = sum(map(len, items(sandbox, TESLA).values()))
    sandbox.faults.add(Fault("POST", "/sources$", kind, code=502, body="<html>", seconds=100))
    done = await call(tool, **arguments)
    assert "answer was lost" in done["note"]
    assert done["name"] == arguments.get("source_name", "n.txt")
    assert sandbox.count("POST", "/sources$") == 1
    assert sum(map(len, items(sandbox, TESLA).values())) == before + rows


@virtual_time
@pytest.mark.parametrize(("tool", "arguments"), UPLOADS)
@pytest.mark.parametrize("kind", ["drop_before", "status"])
async def test_an_upload_of_which_nothing_is_seen_is_of_unknown_outcome(
    call: Caller, sandbox: Sandbox, tool: str, arguments: Json, kind: Any
) -> None:
    before = items(sandbox, TESLA)
    sandbox.faults.add(Fault("POST", "/sources$", kind, code=502, body="<html>"))
    text = await call.fails(tool, "outcome_unknown", **arguments)
    assert f"list_vault_sources(tracker_id={TESLA})" in text
    assert "twice" in text
    assert sandbox.count("POST", "/sources$") == 1
    assert items(sandbox, TESLA) == before


@virtual_time
async def test_an_upload_is_of_unknown_outcome_where_the_sources_cannot_be_read(call: Caller, sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("POST", "/sources$", "drop_after"), Fault("GET", "/sources$", "status", None))
    text = await call.fails("upload_vault_json", "outcome_unknown", **UPLOADS[0][1])
    assert "could not be read" in text


@virtual_time
@pytest.mark.parametrize("kind", ["refuse", "status"])
async def test_an_upload_that_was_certainly_not_taken_is_sent_again(call: Caller, sandbox: Sandbox, kind: Any) -> None:
    sandbox.faults.add(Fault("POST", "/sources$", kind, 2, code=429))
    done = await call("upload_vault_json", **UPLOADS[0][1])
    assert "note" not in done
    assert sandbox.count("POST", "/sources$") == 3
    assert len(items(sandbox, TESLA)["rows"]) == 2


def created(sandbox: Sandbox) -> list[str]:
    return [one.tracker_id for one in sandbox.world.account().in_space(SPACE) if one.settings["name"] == "New"]


@virtual_time
@both_eras
@pytest.mark.parametrize("kind", ARRIVED)
async def test_a_tracker_created_though_its_answer_was_lost_is_found(call: Caller, sandbox: Sandbox, kind: Any) -> None:
    sandbox.faults.add(Fault("POST", "/trackers$", kind, code=502, body="<html>", seconds=100))
    made = await call("create_tracker", **NEW)
    assert "answer was lost" in made["note"]
    assert [made["tracker_id"]] == created(sandbox)
    assert made["next_step"].startswith(f"estimate_run_cost(tracker_id={made['tracker_id']})")
    assert sandbox.count("POST", "/trackers$") == 1


@virtual_time
@pytest.mark.parametrize("kind", ["drop_before", "status"])
async def test_a_create_of_which_nothing_is_seen_is_of_unknown_outcome(
    call: Caller, sandbox: Sandbox, kind: Any
) -> None:
    sandbox.faults.add(Fault("POST", "/trackers$", kind, code=502, body="<html>"))
    text = await call.fails("create_tracker", "outcome_unknown", **NEW)
    assert f"list_trackers(space_id={SPACE})" in text
    assert "0 trackers like it" in text
    assert sandbox.count("POST", "/trackers$") == 1
    assert created(sandbox) == []


@virtual_time
async def test_a_create_that_cannot_be_told_from_an_older_one_is_of_unknown_outcome(
    call: Caller, sandbox: Sandbox
) -> None:
    await call("create_tracker", **NEW)
    sandbox.faults.add(Fault("POST", "/trackers$", "drop_after"))
    assert "2 trackers like it" in await call.fails("create_tracker", "outcome_unknown", **NEW)


@virtual_time
async def test_a_create_that_did_not_arrive_is_not_taken_for_an_older_one_of_its_name(
    call: Caller, sandbox: Sandbox
) -> None:
    await call("create_tracker", **{**NEW, "description": "An older one"})
    sandbox.faults.add(Fault("POST", "/trackers$", "drop_before"))
    await call.fails("create_tracker", "outcome_unknown", **NEW)
