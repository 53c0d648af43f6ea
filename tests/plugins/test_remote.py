"""What docs/clients.md tells clients of a server that runs elsewhere."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tomllib
from collections.abc import AsyncGenerator
from pathlib import Path

import anyio
import pytest

from help.foreign import CLAUDE, GEMINI, ROOT, node_with
from help.over_http import Served, serving
from help.seeded import TOKEN
from quantinal_mcp.sandbox import Sandbox

DOCUMENT = (ROOT / "docs" / "clients.md").read_text("utf-8")
ADDRESS = "https://mcp.example.com/mcp"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)


def test_every_file_for_a_client_names_one_address_and_a_header_with_a_token() -> None:
    files = [*map(json.loads, blocks("json")), *map(tomllib.loads, blocks("toml"))]
    assert len(files) == 4
    for file in files:
        [servers] = [file[name] for name in ("mcpServers", "servers", "mcp_servers") if name in file]
        server = servers["quantinal"]
        assert server.get("url", server.get("httpUrl")) == ADDRESS
        bearer = server.get("headers", {}).get("Authorization", server.get("bearer_token_env_var"))
        assert re.fullmatch(r"(Bearer \$(\{env:|\{input:)?)?(QUANTINAL_API_TOKEN|quantinal-token)\}?", bearer)


@pytest.fixture
async def served() -> AsyncGenerator[Served]:
    async with serving(Sandbox()) as server:
        yield server


@pytest.mark.anyio
@pytest.mark.clients
@pytest.mark.timeout(900)
@pytest.mark.parametrize("package", [CLAUDE, GEMINI])
async def test_the_command_for_a_client_connects_it(served: Served, tmp_path: Path, package: str) -> None:
    programs = node_with(package) / "node_modules" / ".bin"
    name = "claude" if package == CLAUDE else "gemini"
    [command] = [line for line in "".join(blocks("bash")).splitlines() if line.startswith(name) and ADDRESS in line]
    (tmp_path / ".gemini").mkdir()
    (tmp_path / ".gemini" / "trustedFolders.json").write_text(json.dumps({str(tmp_path): "TRUST_FOLDER"}))
    command = command.replace(ADDRESS, f"{served.url}/mcp").replace("qapi_your_token", TOKEN)
    environment = {
        "HOME": str(tmp_path),
        "PATH": f"{programs}:{os.environ['PATH']}",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
    }

    def run(line: str) -> str:
        done = subprocess.run(  # noqa: S602 - as a user pastes it
            line, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True, timeout=300
        )
        return done.stdout + done.stderr

    await anyio.to_thread.run_sync(run, command)
    listed = await anyio.to_thread.run_sync(run, f"{name} mcp list")
    assert re.search(rf"quantinal.*{re.escape(served.url)}.*Connected", listed), listed
