"""What a user pastes into a client, and the links that install the server."""

from __future__ import annotations

import base64
import json
import shlex
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from click.testing import CliRunner

from quantinal_mcp.cli import main
from quantinal_mcp.install import SNIPPETS, Launch, cursor_link, installed_as, vscode_link, web_links

LIVE = Launch(("/opt/my tools/quantinal-mcp",), {"QUANTINAL_API_TOKEN": "qapi_your_token"})
SANDBOX = Launch(("uvx", "quantinal-mcp"), {"QUANTINAL_SANDBOX": "1"})
MODULE = Launch(("/venv/bin/python", "-m", "quantinal_mcp"), {"QUANTINAL_SANDBOX": "1"})


def json_in(text: str) -> Any:
    return json.JSONDecoder().raw_decode(text[text.index("{") :])[0]


@pytest.mark.parametrize("server", [LIVE, SANDBOX, MODULE])
def test_the_cursor_link_decodes_to_what_its_file_says(server: Launch) -> None:
    link = urlsplit(cursor_link(server))
    assert (link.scheme, link.netloc, link.path) == ("cursor", "anysphere.cursor-deeplink", "/mcp/install")
    query = parse_qs(link.query)
    assert query["name"] == ["quantinal"]
    entry = json.loads(base64.b64decode(query["config"][0], validate=True))
    assert entry == json_in(SNIPPETS["cursor"](server))["mcpServers"]["quantinal"]
    assert (entry["command"], *entry.get("args", ())) == server.command
    assert entry["env"] == server.environment


@pytest.mark.parametrize("server", [LIVE, SANDBOX, MODULE])
def test_the_vscode_link_decodes_to_what_its_file_says(server: Launch) -> None:
    link = vscode_link(server)
    assert link.startswith("vscode:mcp/install?")
    entry = json.loads(unquote(link.partition("?")[2]))
    file = json_in(SNIPPETS["vscode"](server))
    assert entry.pop("name") == "quantinal"
    assert entry.pop("inputs", None) == file.get("inputs")
    assert entry == file["servers"]["quantinal"]


@pytest.mark.parametrize("server", [LIVE, SANDBOX, MODULE])
def test_the_links_of_the_web_lead_to_those_of_the_clients(server: Launch) -> None:
    links = web_links(server)
    assert links["Cursor"].startswith("https://cursor.com/en/install-mcp?")
    assert urlsplit(links["Cursor"]).query == urlsplit(cursor_link(server)).query
    assert parse_qs(urlsplit(links["VS Code"]).query) == {"url": [vscode_link(server)]}


def test_vscode_asks_for_the_token_and_keeps_it_out_of_its_file() -> None:
    file = json_in(SNIPPETS["vscode"](LIVE))
    [asked] = file["inputs"]
    assert asked["password"]
    assert file["servers"]["quantinal"]["env"] == {"QUANTINAL_API_TOKEN": f"${{input:{asked['id']}}}"}


def test_claude_desktop_gets_a_whole_file() -> None:
    assert json_in(SNIPPETS["claude-desktop"](LIVE)) == {
        "mcpServers": {"quantinal": {"command": LIVE.command[0], "env": dict(LIVE.environment)}}
    }


@pytest.mark.parametrize(
    ("client", "server", "words"),
    [
        ("claude-code", LIVE, "claude mcp add --scope user quantinal --env QUANTINAL_API_TOKEN=qapi_your_token --"),
        ("codex", SANDBOX, "codex mcp add quantinal --env QUANTINAL_SANDBOX=1 --"),
        ("gemini", SANDBOX, "gemini mcp add --scope user quantinal --env QUANTINAL_SANDBOX=1"),
    ],
)
def test_a_shell_line_ends_with_the_command(client: str, server: Launch, words: str) -> None:
    assert shlex.split(SNIPPETS[client](server)) == [*words.split(), *server.command]


def test_gemini_is_given_the_arguments_that_look_like_its_own_after_two_dashes() -> None:
    assert SNIPPETS["gemini"](MODULE).endswith(" /venv/bin/python -- -m quantinal_mcp")


def test_the_command_is_the_one_that_will_still_be_there(tmp_path: Path) -> None:
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    assert installed_as(python) == (str(python), "-m", "quantinal_mcp")
    script = python.with_name("quantinal-mcp")
    script.touch()
    assert installed_as(python) == (str(script),)
    assert installed_as(Path("/home/ada/.cache/uv/archive-v0/x1/bin/python")) == ("uvx", "quantinal-mcp")


@pytest.mark.parametrize("client", SNIPPETS)
def test_the_command_line_prints_each_and_never_the_token(client: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUANTINAL_API_TOKEN", "qapi_secret")
    done = CliRunner().invoke(main, ["config", client])
    assert done.exit_code == 0
    assert "QUANTINAL_API_TOKEN" in done.output
    assert "qapi_secret" not in done.output
    sandbox = CliRunner().invoke(main, ["config", client, "--sandbox"]).output
    assert "QUANTINAL_SANDBOX" in sandbox
    assert "QUANTINAL_API_TOKEN" not in sandbox


def test_the_command_line_knows_every_client() -> None:
    refused = CliRunner().invoke(main, ["config", "netscape"])
    assert refused.exit_code == 2
    assert all(client in refused.output for client in SNIPPETS)


@pytest.mark.parametrize("client", ["claude-code", "codex", "gemini"])
def test_the_document_for_clients_shows_the_line_that_the_command_line_prints(client: str) -> None:
    server = Launch(("/path/to/.venv/bin/quantinal-mcp",), LIVE.environment)
    document = (Path(__file__).parents[2] / "docs" / "clients.md").read_text("utf-8")
    assert SNIPPETS[client](server) in document.splitlines()
