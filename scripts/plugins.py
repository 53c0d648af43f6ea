"""The plugins for hosts, below plugins/: made of the manifest, the settings and the skill."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from quantinal_mcp import HOME, __version__
from quantinal_mcp.extensions.skills import TEXT, frontmatter

ROOT = Path(__file__).resolve().parent.parent
PLUGINS = ROOT / "plugins"
_SCHEMA = "https://agent-plugins.org/schemas/1.0.0"
_COMMAND = {"command": "uvx", "args": [f"quantinal-mcp@{__version__}"]}


def plugins() -> Mapping[Path, str | dict[str, Any]]:
    """Return every file below plugins/ with its text, or its fields."""
    plugin = PLUGINS / "quantinal"
    skill = TEXT.read_text("utf-8")
    return {
        PLUGINS / ".claude-plugin" / "marketplace.json": marketplace(),
        plugin / ".claude-plugin" / "plugin.json": claude_code(),
        plugin / "gemini-extension.json": gemini(),
        plugin / "plugin.json": agent_plugin(),
        plugin / "mcp.json": agent_servers(),
        plugin / "skills" / frontmatter(skill)["name"] / "SKILL.md": skill,
    }


def about() -> dict[str, Any]:
    """Return what every host is told of the plugin."""
    manifest = _manifest()
    return {
        "name": "quantinal",
        "version": __version__,
        "description": manifest["description"],
        "author": manifest["author"],
        "homepage": HOME,
        "repository": HOME,
        "license": manifest["license"],
        "keywords": manifest["keywords"],
    }


def agent_plugin() -> dict[str, Any]:
    """Return the manifest of Agent Plugins 1.0."""
    return {"$schema": f"{_SCHEMA}/plugin.schema.json", **about()}


def agent_servers() -> dict[str, Any]:
    """Return the servers of Agent Plugins 1.0; it has no place for a secret, so the environment brings the token."""
    return {"$schema": f"{_SCHEMA}/mcp.schema.json", "mcpServers": {"quantinal": {"type": "stdio", **_COMMAND}}}


def claude_code() -> dict[str, Any]:
    """Return the plugin of Claude Code, which asks for the settings when it is enabled."""
    asked = _asked()
    environment = {variable: f"${{user_config.{name}}}" for name, (variable, _) in asked.items()}
    return {
        **about(),
        "mcpServers": {"quantinal": {**_COMMAND, "env": environment}},
        "userConfig": {name: question for name, (_, question) in asked.items()},
    }


def marketplace() -> dict[str, Any]:
    """Return the list from which Claude Code installs the plugin."""
    manifest = _manifest()
    return {
        "name": "quantinal",
        "description": manifest["description"],
        "owner": manifest["author"],
        "plugins": [{"name": "quantinal", "source": "./quantinal", "description": manifest["description"]}],
    }


def gemini() -> dict[str, Any]:
    """Return the extension of Gemini CLI, which asks for the settings when it is installed."""
    return {
        "name": "quantinal",
        "version": __version__,
        "description": _manifest()["description"],
        "mcpServers": {"quantinal": _COMMAND},
        "settings": [
            {
                "name": question["title"],
                "description": question["description"],
                "envVar": variable,
                "sensitive": question.get("sensitive", False),
            }
            for variable, question in _asked().values()
        ],
    }


def _asked() -> dict[str, tuple[str, dict[str, Any]]]:
    """Return the bundle's questions that fill an environment variable: the variable and the question."""
    manifest = _manifest()
    named = {value: variable for variable, value in manifest["server"]["mcp_config"]["env"].items()}
    return {
        name: (named[value], question)
        for name, question in manifest["user_config"].items()
        if (value := f"${{user_config.{name}}}") in named
    }


def _manifest() -> dict[str, Any]:
    return json.loads((ROOT / "manifest.json").read_text("utf-8"))
