"""Which files are read from this machine: those of documented kinds inside the folders that its operator opened."""

from __future__ import annotations

import base64
import os
import socket
import stat
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from help.callers import Caller, connected
from help.inside import items
from help.seeded import UNUSED, Json
from quantinal_mcp.sandbox import Sandbox

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
