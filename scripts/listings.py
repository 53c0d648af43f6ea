"""Rewrites what README.md and manifest.json say of resources and prompts, and the registry's server.json; `--check`
names what is stale."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # this tree's package, whatever is installed

from generate import between  # noqa: E402

from quantinal_mcp import __version__  # noqa: E402
from quantinal_mcp.protocol.prompts import PROMPTS, Request  # noqa: E402
from quantinal_mcp.protocol.resources import RESOURCES  # noqa: E402
from quantinal_mcp.settings import Option, options, parse_switch  # noqa: E402

NAME = "io.github.quantinal-mcp/quantinal-mcp"
"""As the registry knows it; the README carries it as its `mcp-name:` mark, which proves that both are of one owner."""

_HTTP_ONLY = {"host", "port", "allowed_hosts", "state_keys"}


def main() -> int:
    """Return the exit status: with `--check`, 1 if a file is not what it would be rewritten to."""
    texts = {
        ROOT / "README.md": readme(),
        ROOT / "manifest.json": as_json(manifest()),
        ROOT / "server.json": as_json(server()),
    }
    stale = {path: text for path, text in texts.items() if not path.exists() or path.read_text("utf-8") != text}
    for path, text in stale.items():
        if "--check" in sys.argv[1:]:
            print(f"{path.name} is stale; run: python scripts/listings.py")
        else:
            path.write_text(text, "utf-8")
            print(f"{path.name} is rewritten")
    return 1 if stale and "--check" in sys.argv[1:] else 0


def as_json(fields: dict[str, Any]) -> str:
    """Return a file of these fields."""
    return json.dumps(fields, indent=2, ensure_ascii=False) + "\n"


def readme() -> str:
    """Return the README with its table of resources and prompts."""
    resources = [(item.uri, item.function) for item in RESOURCES]
    prompts = [(f"{request.function.__name__}({_arguments(request)})", request.function) for request in PROMPTS]
    rows = [f"| `{name}` | {(function.__doc__ or '').rstrip('.')} |" for name, function in (*resources, *prompts)]
    table = "\n".join(["| resource or prompt | what it is for |", "| --- | --- |", *rows])
    return between((ROOT / "README.md").read_text("utf-8"), "extras", table)


def _arguments(request: Request) -> str:
    return ", ".join(argument.name + ("" if argument.required else "?") for argument in request.arguments)


def manifest() -> dict[str, Any]:
    """Return the manifest with these prompts; the tools in it are generate.py's."""
    fields: dict[str, Any] = json.loads((ROOT / "manifest.json").read_text("utf-8"))
    return {**fields, "prompts": [_prompt(request) for request in PROMPTS]}


def _prompt(request: Request) -> dict[str, Any]:
    arguments = [argument.name for argument in request.arguments]
    text = asyncio.run(_said(request, {name: f"${{arguments.{name}}}" for name in arguments}))
    description = request.function.__doc__
    return {"name": request.function.__name__, "description": description, "arguments": arguments, "text": text}


async def _said(request: Request, arguments: dict[str, str]) -> str:
    return await request.function(**arguments)


def server() -> dict[str, Any]:
    """Return what the registry is told: where the package is, and what a client may set."""
    return {
        "$schema": "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json",
        "name": NAME,
        "title": "Quantinal",
        "description": "Run Quantinal trackers from any AI assistant: never charged twice, never lost.",
        "version": __version__,
        "repository": {"url": "https://github.com/quantinal-mcp/quantinal-mcp", "source": "github"},
        "packages": [
            {
                "registryType": "pypi",
                "identifier": "quantinal-mcp",
                "version": __version__,
                "runtimeHint": "uvx",
                "transport": {"type": "stdio"},
                "environmentVariables": [
                    _variable(option) for name, option in options().items() if name not in _HTTP_ONLY
                ],
            }
        ],
    }


def _variable(option: Option) -> dict[str, Any]:
    is_switch = option.parse is parse_switch
    variable: dict[str, Any] = {
        "name": option.env,
        "description": option.meaning.replace("`", ""),
        "format": "boolean" if is_switch else "string",
    }
    if option.secret:
        variable["isSecret"] = True
    if option.default not in {"none", "all"}:
        variable["default"] = {"on": "true", "off": "false"}[option.default] if is_switch else option.default
    return variable


if __name__ == "__main__":
    sys.exit(main())
