"""The plugins: of one source, in shape, and found, started and asked for settings by the hosts that they are for."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from help.callers import client_of
from help.foreign import CLAUDE, GEMINI, ROOT, node_with, run
from quantinal_mcp.extensions.skills import TEXT, URI, frontmatter
from quantinal_mcp.protocol.definitions import FOLDER
from quantinal_mcp.sandbox import Sandbox
from quantinal_mcp.settings import options

PLUGIN = ROOT / "plugins" / "quantinal"

in_a_host = [pytest.mark.clients, pytest.mark.timeout(900)]


def read(name: str) -> Any:
    return json.loads((PLUGIN / name).read_text("utf-8"))


def test_the_skill_is_short_and_names_only_tools_and_errors_that_exist() -> None:
    text = TEXT.read_text("utf-8")
    assert len(text.splitlines()) < 150
    tools = {path.stem: path.read_text("utf-8") for path in FOLDER.glob("*.json")}
    fields = set(re.findall(r'"([a-z_]+)": \{', "".join(tools.values())))
    assert set(re.findall(r"`([a-z]+_[a-z_]+)`", text)) <= tools.keys() | fields
    codes = (ROOT / "quantinal_mcp" / "errors.py").read_text("utf-8")
    for code in re.findall(r"`\[([a-z_]+)\]`", text):
        assert f'"{code}"' in codes


def test_a_skill_has_a_name_and_a_description_as_agents_want_them() -> None:
    about = frontmatter(TEXT.read_text("utf-8"))
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", about["name"])
    assert 50 < len(about["description"]) <= 1024
    assert not any(
        re.match(r"[\s\[{&*!|>'\"%@`#?-]", value) or ": " in value or " #" in value for value in about.values()
    )


@pytest.mark.anyio
@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_the_skill_of_the_plugins_is_the_one_that_the_server_serves(mode: str) -> None:
    async with client_of(Sandbox(), mode) as client:
        [served] = (await client.read_resource(URI)).contents
    assert served.model_dump()["text"] == (PLUGIN / "skills" / "quantinal" / "SKILL.md").read_text("utf-8")
    assert served.mime_type == "text/markdown"


def test_the_portable_plugin_is_closed_and_carries_no_secret() -> None:
    manifest, servers = read("plugin.json"), read("mcp.json")
    about = {"name", "version", "description", "author", "homepage", "repository", "license", "keywords"}
    assert manifest.keys() <= {"$schema", "extensions", *about}
    assert manifest["author"].keys() <= {"name", "email", "url"}
    assert manifest["$schema"] == "https://agent-plugins.org/schemas/1.0.0/plugin.schema.json"
    assert re.fullmatch(r"(?!.*(--|\.\.))[a-z0-9]([a-z0-9.-]{0,62}[a-z0-9])?", manifest["name"])
    assert servers.keys() == {"$schema", "mcpServers"}
    assert servers["$schema"] == "https://agent-plugins.org/schemas/1.0.0/mcp.schema.json"
    [server] = servers["mcpServers"].values()
    assert server.keys() <= {"type", "command", "args", "env", "cwd"}
    assert (server["type"], server["command"]) == ("stdio", "uvx")


def test_what_the_plugins_ask_for_are_settings_that_exist() -> None:
    variables = {option.env for option in options().values()}
    claude, gemini = read(".claude-plugin/plugin.json"), read("gemini-extension.json")
    filled = claude["mcpServers"]["quantinal"]["env"]
    assert filled.keys() <= variables
    assert sorted(filled.values()) == sorted(f"${{user_config.{name}}}" for name in claude["userConfig"])
    assert {setting["envVar"] for setting in gemini["settings"]} == filled.keys()
    assert [setting["envVar"] for setting in gemini["settings"] if setting["sensitive"]] == ["QUANTINAL_API_TOKEN"]
    assert [name for name, asked in claude["userConfig"].items() if asked.get("sensitive")] == ["api_token"]


@pytest.fixture
def machine(tmp_path: Path) -> dict[str, str]:
    """The environment of a user who has nothing yet but a `uvx`, which starts this server and notes what it got."""
    programs = tmp_path / "bin"
    programs.mkdir()
    uvx = programs / "uvx"
    uvx.write_text(
        f'#!/bin/sh\necho "$* $QUANTINAL_SANDBOX" >>"{tmp_path}/started"\n'
        f'PYTHONPATH="{ROOT}" exec "{sys.executable}" -m quantinal_mcp\n'
    )
    uvx.chmod(0o755)
    return {
        "HOME": str(tmp_path),
        "PATH": f"{programs}:{os.environ['PATH']}",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
        "GEMINI_TELEMETRY_ENABLED": "false",
    }


class TestInClaudeCode:
    pytestmark = in_a_host

    def claude(self, *words: str | Path, env: dict[str, str]) -> str:
        program = node_with(CLAUDE) / "node_modules" / ".bin" / "claude"
        return run([program, *words], cwd=Path(env["HOME"]), env=env)

    @pytest.mark.parametrize("folder", [PLUGIN, PLUGIN.parent])
    def test_its_validator_has_nothing_to_say(self, machine: dict[str, str], folder: Path) -> None:
        assert "Validation passed" in self.claude("plugin", "validate", "--strict", folder, env=machine)

    def test_it_is_installed_configured_and_connected(self, machine: dict[str, str]) -> None:
        self.claude("plugin", "marketplace", "add", PLUGIN.parent, env=machine)
        self.claude("plugin", "install", "quantinal@quantinal", "--config", "sandbox=true", env=machine)
        assert re.search(
            r"Skills \(1\)\s+quantinal", self.claude("plugin", "details", "quantinal@quantinal", env=machine)
        )
        assert re.search(r"quantinal: uvx quantinal-mcp@\S+ - .*Connected", self.claude("mcp", "list", env=machine))
        started = Path(machine["HOME"], "started").read_text("utf-8")
        assert re.fullmatch(r"(quantinal-mcp@\S+ true\n)+", started)


class TestInGemini:
    pytestmark = in_a_host

    def gemini(self, *words: str | Path, env: dict[str, str]) -> str:
        program = node_with(GEMINI) / "node_modules" / ".bin" / "gemini"
        done = subprocess.run(  # noqa: S603
            [program, *words],
            cwd=env["HOME"],
            env=env,
            input="y\n",  # it asks whether a folder is to be trusted
            capture_output=True,
            text=True,
            check=True,
            timeout=300,
        )
        return done.stdout + done.stderr

    def test_its_validator_has_nothing_to_say(self, machine: dict[str, str]) -> None:
        assert "successfully validated" in self.gemini("extensions", "validate", PLUGIN, env=machine)

    def test_it_is_installed_and_connected(self, machine: dict[str, str]) -> None:
        self.gemini("extensions", "install", PLUGIN, "--consent", "--skip-settings", env=machine)
        listed = self.gemini("extensions", "list", env=machine)
        assert re.search(r"Agent skills:\s+quantinal: ", listed)
        assert "API token: [not set]" in listed
        assert re.search(
            r"quantinal .*uvx quantinal-mcp@\S+ \(stdio\) - Connected", self.gemini("mcp", "list", env=machine)
        )
