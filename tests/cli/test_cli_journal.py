"""Where the journal is, and what becomes of the start, of triggers and of `check` where it cannot be used."""

from __future__ import annotations

import json
import os
import sqlite3
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
from mcp import Client
from mcp.client.stdio import stdio_client

from help.callers import text_of
from help.command import run, server
from help.journals import names_in
from help.seeded import TESLA, TOKEN
from quantinal_mcp.journal.migrations import VERSION
from quantinal_mcp.sandbox import Sandbox
from quantinal_mcp.settings import SettingsError
from quantinal_mcp.transports.http import create_app

pytestmark = pytest.mark.anyio

KINDS = ["unwritable", "damaged", "newer", "another program's"]


def put(kind: str, folder: Path) -> Path:
    """A journal's place where something is wrong; nobody, root included, can write below a file."""
    if kind == "unwritable":
        (folder / "file").touch()
        return folder / "file" / "journal.db"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "journal.db"
    if kind == "damaged":
        path.write_bytes(b"\x00\xff" * 5000)
        return path
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE things (a)")
        if kind == "newer":
            db.execute(f"PRAGMA application_id={0x514D4350}")
            db.execute(f"PRAGMA user_version={VERSION + 1}")
    return path


def content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("door", [[], ["--transport", "http", "--port", "0"]], ids=["stdio", "http"])
def test_one_that_was_asked_for_and_cannot_be_used_ends_the_start(tmp_path: Path, kind: str, door: list[str]) -> None:
    path = put(kind, tmp_path)
    before = content(path)
    done = run(*door, environ={"QUANTINAL_STATE": str(path), "QUANTINAL_API_TOKEN": TOKEN})
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith(f"Error: QUANTINAL_STATE: The journal at {path} cannot be used (")
    assert content(path) == before


def test_one_that_was_asked_for_is_made_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "new" / "journal.db"
    done = run(environ={"QUANTINAL_STATE": str(path), "QUANTINAL_API_TOKEN": TOKEN})
    assert (done.returncode, done.stderr) == (0, "")
    assert path.exists()


@pytest.mark.parametrize("kind", KINDS)
def test_a_budget_ends_the_start_where_the_default_one_cannot_be_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    path = put(kind, tmp_path / "quantinal-mcp" if kind != "unwritable" else tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path if kind != "unwritable" else path.parent))
    done = run(environ={"QUANTINAL_BUDGET_QUANTS": "5/day", "QUANTINAL_API_TOKEN": TOKEN})
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith("Error: QUANTINAL_BUDGET_QUANTS: The journal at ")


def test_a_budget_ends_the_start_where_the_journal_is_in_memory_but_not_in_the_sandbox() -> None:
    memory = {"QUANTINAL_BUDGET_QUANTS": "5/day", "QUANTINAL_STATE": "memory"}
    done = run(environ={**memory, "QUANTINAL_API_TOKEN": TOKEN})
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "QUANTINAL_BUDGET_QUANTS: A budget needs a journal that outlives this process" in done.stderr
    assert run(environ={**memory, "QUANTINAL_SANDBOX": "1"}).returncode == 0
    assert run(environ={"QUANTINAL_BUDGET_QUANTS": "5", "QUANTINAL_SANDBOX": "1"}).returncode == 0


def test_an_app_that_a_process_manager_imports_ends_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put("damaged", tmp_path)
    monkeypatch.setenv("QUANTINAL_STATE", str(path))
    with pytest.raises(SettingsError, match="QUANTINAL_STATE: The journal at"):
        create_app()


@asynccontextmanager
async def serving(said: list[str], program: list[str] | None = None, **environ: str) -> AsyncGenerator[Client]:
    """A client of a server of the sandbox's service; what that said on stderr comes in the end."""
    with tempfile.TemporaryFile("w+") as log:
        async with Sandbox().serve() as base_url:
            environ = {"QUANTINAL_BASE_URL": base_url, "QUANTINAL_API_TOKEN": TOKEN, **environ}
            started = server(**environ)
            started.args = program or started.args
            async with Client(stdio_client(started, log)) as client:
                yield client
        log.seek(0)
        said += log.read().splitlines()


async def test_a_default_one_that_cannot_be_written_gives_way_to_memory_with_one_line(tmp_path: Path) -> None:
    path = put("unwritable", tmp_path)
    said: list[str] = []
    async with serving(said, XDG_STATE_HOME=str(path.parent)) as client:
        first = await client.call_tool("trigger_run", {"tracker_id": TESLA})
        repeated = await client.call_tool("trigger_run", {"tracker_id": TESLA})
        changed = await client.call_tool("update_tracker", {"tracker_id": TESLA, "name": "Changed"})
        assert not changed.is_error
        assert first.structured_content is not None
        assert repeated.structured_content is not None
        assert repeated.structured_content["run_id"] == first.structured_content["run_id"]
    (line,) = said
    assert "cannot be written (Not a directory): it is kept in memory" in line


@pytest.mark.parametrize("kind", ["damaged", "newer", "another program's"])
async def test_a_default_one_that_is_not_ours_lets_the_server_start_and_triggers_wait(
    tmp_path: Path, kind: str
) -> None:
    path = put(kind, tmp_path / "quantinal-mcp")
    before = content(path)
    async with serving([], XDG_STATE_HOME=str(tmp_path)) as client:
        assert (await client.list_tools()).tools
        assert not (await client.call_tool("get_tracker", {"tracker_id": TESLA})).is_error
        refused = await client.call_tool("trigger_run", {"tracker_id": TESLA})
        assert refused.is_error
        assert text_of(refused).startswith(f"[misconfigured] The journal at {path} cannot be used (")
        assert content(path) == before
        path.rename(tmp_path / "moved away")
        assert not (await client.call_tool("trigger_run", {"tracker_id": TESLA})).is_error
    assert content(tmp_path / "moved away") == before


def checked(**environ: str) -> dict[str, str]:
    """What `check` finds of the journal."""
    done = run("check", "--json", environ=environ)
    assert done.stderr == ""
    (found,) = [finding for finding in json.loads(done.stdout) if finding["name"] == "journal"]
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_check_says_what_is_wrong_with_it(tmp_path: Path, kind: str) -> None:
    path = put(kind, tmp_path)
    found = checked(QUANTINAL_SANDBOX="1", QUANTINAL_STATE=str(path))
    assert found["verdict"] == "FAIL"
    assert str(path) in found["detail"]
    assert "QUANTINAL_STATE" in found["mend"]


def test_check_says_where_it_is_and_that_it_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    found = checked(QUANTINAL_BASE_URL="http://127.0.0.1:9")
    path = tmp_path / "quantinal-mcp" / "journal.db"
    assert (found["verdict"], found["detail"]) == ("ok", f"{path} can be written")
    memory = checked(QUANTINAL_SANDBOX="1")
    assert (memory["verdict"], memory["detail"]) == ("ok", "kept in memory, and forgotten with each server")


def test_check_notes_that_a_default_one_gives_way_and_fails_where_a_budget_rests_on_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(put("unwritable", tmp_path).parent))
    nowhere = {"QUANTINAL_BASE_URL": "http://127.0.0.1:9"}
    found = checked(**nowhere)
    assert found["verdict"] == "note"
    assert "it is kept in memory" in found["detail"]
    assert checked(**nowhere, QUANTINAL_BUDGET_QUANTS="5")["verdict"] == "FAIL"
    assert checked(**nowhere, QUANTINAL_BUDGET_QUANTS="5", QUANTINAL_STATE="memory")["verdict"] == "FAIL"


async def test_listing_and_reading_make_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    async with serving([], XDG_STATE_HOME=str(tmp_path)) as client:
        await client.list_tools()
        assert not (await client.call_tool("get_tracker", {"tracker_id": TESLA})).is_error
    assert names_in(tmp_path) == set()


NOBODY = """
import pwd

def unknown(uid):
    raise KeyError(uid)

pwd.getpwuid = unknown

from quantinal_mcp.cli import main

main()
"""
"""The command of a user whom the system does not list, as a container may have one."""


@pytest.mark.skipif(os.name == "nt", reason="there everybody has a home")
async def test_where_no_home_is_known_it_is_kept_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.chdir(tmp_path)
    said: list[str] = []
    async with serving(said, ["-c", NOBODY]) as client:
        first, repeated = [await client.call_tool("trigger_run", {"tracker_id": TESLA}) for _ in range(2)]
    assert first.structured_content is not None
    assert repeated.structured_content is not None
    assert repeated.structured_content["run_id"] == first.structured_content["run_id"]
    (line,) = said
    assert "no home directory is known: the journal is kept in memory" in line
    assert names_in(tmp_path) == set()
