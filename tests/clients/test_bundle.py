"""The bundle, made and started as a host does it, and what the registry accepts."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from help.foreign import ROOT, drive, node_with, python_with, run
from help.seeded import TESLA

pytestmark = [pytest.mark.clients, pytest.mark.timeout(900)]

MCPB = "@anthropic-ai/mcpb@2.1.2"
UV = "uv==0.13.9"


def packed(into: Path) -> Path:
    tool = node_with(MCPB) / "node_modules/.bin/mcpb"
    assert "passes" in run([tool, "validate", ROOT / "manifest.json"])
    bundle = into / "quantinal.mcpb"
    run([tool, "pack", ROOT, bundle])
    return bundle


def host_config(directory: Path, **filled_in: Any) -> Any:
    job = {"directory": str(directory), "userConfig": filled_in}
    return drive(["node", "bundle_host.mjs"], job, cwd=node_with(MCPB))


def test_the_bundle_is_small_and_holds_what_runs_and_nothing_else(tmp_path: Path) -> None:
    bundle = packed(tmp_path)
    assert bundle.stat().st_size < 1_000_000
    names = zipfile.ZipFile(bundle).namelist()
    tops = {name.split("/")[0] for name in names}
    assert tops == {"LICENSE", "README.md", "assets", "manifest.json", "pyproject.toml", "quantinal_mcp"}
    assert not [name for name in names if name.endswith(".pyc")]


@pytest.mark.anyio
async def test_the_bundle_answers_when_started_as_its_host_starts_it(tmp_path: Path) -> None:
    home, folder = tmp_path / "bundle", tmp_path / "files"
    zipfile.ZipFile(packed(tmp_path)).extractall(home)
    folder.mkdir()
    (folder / "notes.txt").write_text("one", "utf-8")
    config = host_config(home, sandbox=True, upload_folders=[str(folder)])
    uv = python_with(UV).with_name("uv")
    assert config["command"] == "uv"
    run([uv, "sync", "--directory", home, "--quiet"])  # what the host does when it installs the bundle
    environment = {**os.environ, **config["env"]}
    server = StdioServerParameters(command=str(uv), args=config["args"], env=environment)
    async with Client(stdio_client(server)) as client:
        spaces = await client.call_tool("list_spaces", {})
        assert not spaces.is_error
        upload = {"tracker_id": TESLA, "path": str(folder / "notes.txt")}
        uploaded = await client.call_tool("upload_vault_file", upload)
        assert not uploaded.is_error, uploaded.content


def test_what_a_user_leaves_blank_reaches_the_server_as_nothing(tmp_path: Path) -> None:
    config = host_config(ROOT)
    assert config["env"]["QUANTINAL_API_TOKEN"] == config["env"]["QUANTINAL_BUDGET_QUANTS"] == ""
    assert config["args"][-1] == "serve"
    assert "${" not in json.dumps(config)


def test_the_registry_accepts_server_json() -> None:
    site = python_with("skillsaw==0.22.0").parents[1]
    [file] = site.glob("lib/python*/site-packages/skillsaw/schemas/mcp_registry/v2025_12_11/server.schema.json")
    server = json.loads((ROOT / "server.json").read_text("utf-8"))
    schema = json.loads(file.read_text("utf-8"))
    assert server["$schema"] == schema["$id"]
    problems = Draft7Validator(schema).iter_errors(server)  # pyright: ignore[reportUnknownMemberType]
    assert [problem.message for problem in problems] == []
