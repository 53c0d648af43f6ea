"""How each client is told of this server: a command to run, a file to edit, or a link to open."""

from __future__ import annotations

import base64
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

NAME = "quantinal"
TOKEN_ENV = "QUANTINAL_API_TOKEN"  # noqa: S105 - the name of a variable
PLACEHOLDER = "qapi_your_token"


@dataclass(frozen=True, slots=True)
class Launch:
    """What starts the server: the command with its arguments, and the environment it needs."""

    command: tuple[str, ...]
    environment: Mapping[str, str]

    @property
    def entry(self) -> dict[str, Any]:
        """The server as most configuration files want it."""
        entry: dict[str, Any] = {"command": self.command[0]}
        if self.command[1:]:
            entry["args"] = list(self.command[1:])
        return {**entry, "env": dict(self.environment)}

    def shell(self, program: str, *words: str) -> str:
        """The line that has `program` register the server; `words` say what to run, by default after a `--`."""
        environment = [part for name, value in self.environment.items() for part in ("--env", f"{name}={value}")]
        return _line([*program.split(), NAME, *environment, *(words or ("--", *self.command))])


def launch(*, sandbox: bool) -> Launch:
    """Return how the server that is running now is started again, from anywhere."""
    return Launch(installed_as(), {"QUANTINAL_SANDBOX": "1"} if sandbox else {TOKEN_ENV: PLACEHOLDER})


def installed_as(python: Path | None = None) -> tuple[str, ...]:
    """Return the command for this installation: `uvx` where that made it for one use, else a full path.

    Desktop programs do not read a shell's PATH, and the environment that `uvx` made is thrown away.
    """
    python = python or Path(sys.executable)
    if "archive-v0" in python.parts or "builds-v0" in python.parts:
        return ("uvx", "quantinal-mcp")
    script = python.with_name("quantinal-mcp" + python.suffix)
    return (str(script),) if script.exists() else (str(python), "-m", "quantinal_mcp")


def cursor_link(server: Launch) -> str:
    """Return the link that has Cursor install the server."""
    config = base64.b64encode(json.dumps(server.entry).encode()).decode()
    return f"cursor://anysphere.cursor-deeplink/mcp/install?name={NAME}&config={quote(config, safe='')}"


def vscode_link(server: Launch) -> str:
    """Return the link that has VS Code install the server, and ask for the token there."""
    inputs, entry = _vscode(server)
    asked = {"inputs": inputs} if inputs else {}
    return "vscode:mcp/install?" + quote(json.dumps({"name": NAME, **entry, **asked}), safe="")


def web_links(server: Launch) -> Mapping[str, str]:
    """Return the links above by client, for pages that let only the web's links through, as a README's does."""
    return {
        "Cursor": "https://cursor.com/en/install-mcp?" + cursor_link(server).partition("?")[2],
        "VS Code": "https://insiders.vscode.dev/redirect?url=" + quote(vscode_link(server), safe=""),
    }


def _claude_code(server: Launch) -> str:
    return server.shell("claude mcp add --scope user")


def _codex(server: Launch) -> str:
    return server.shell("codex mcp add")


def _gemini(server: Launch) -> str:
    # It takes `--` after what it runs only, where that has arguments which look like its own.
    first, *rest = server.command
    return server.shell("gemini mcp add --scope user", first, *(["--"] if "-m" in rest else []), *rest)


def _claude_desktop(server: Launch) -> str:
    return _file(_desktop_file(), {"mcpServers": {NAME: server.entry}}) + "\nThen restart Claude Desktop."


def _cursor(server: Launch) -> str:
    file = _file("~/.cursor/mcp.json", {"mcpServers": {NAME: server.entry}})
    return f"{file}\nOr open this link:\n{cursor_link(server)}"


def _vscode_config(server: Launch) -> str:
    inputs, entry = _vscode(server)
    file = _file(".vscode/mcp.json", {**({"inputs": inputs} if inputs else {}), "servers": {NAME: entry}})
    return f"{file}\nOr open this link:\n{vscode_link(server)}"


SNIPPETS: Mapping[str, Callable[[Launch], str]] = {
    "claude-code": _claude_code,
    "claude-desktop": _claude_desktop,
    "codex": _codex,
    "cursor": _cursor,
    "gemini": _gemini,
    "vscode": _vscode_config,
}
"""What to tell a user of each client."""


def _vscode(server: Launch) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """VS Code asks for a secret itself and keeps it, so that none stands in a file."""
    entry = {"type": "stdio", **server.entry}
    if TOKEN_ENV not in server.environment:
        return [], entry
    asks = {"type": "promptString", "id": "quantinal-token", "description": "Quantinal API token", "password": True}
    return [asks], {**entry, "env": {**server.environment, TOKEN_ENV: "${input:quantinal-token}"}}


def _file(path: str, content: Mapping[str, Any]) -> str:
    return f"In {path}:\n{json.dumps(content, indent=2)}"


def _desktop_file() -> str:
    places = {
        "darwin": "~/Library/Application Support/Claude/claude_desktop_config.json",
        "win32": r"%APPDATA%\Claude\claude_desktop_config.json",
    }
    return places.get(sys.platform, "~/.config/Claude/claude_desktop_config.json")


def _line(words: Sequence[str]) -> str:
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)
