"""What stores, hosts and registries are told: the bundle's manifest.json and the registry's server.json."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from readme import summary

from quantinal_mcp import HOME, __version__
from quantinal_mcp.install import PLACEHOLDER, TOKEN_ENV, Launch, web_links
from quantinal_mcp.parsing import parse_switch
from quantinal_mcp.protocol.prompts import PROMPTS, Request
from quantinal_mcp.server import OFFERS
from quantinal_mcp.settings import Option, Settings, options

NAME = "io.github.quantinal-mcp/quantinal-mcp"
"""As the registry knows it; the README carries it as its `mcp-name:` mark, which proves that both are of one owner."""

RAW = HOME.replace("github.com", "raw.githubusercontent.com") + "/main"
"""Where the registry's readers fetch a file of the repository."""

_HTTP_ONLY = {"host", "port", "allowed_hosts", "state_keys"}


def badges() -> str:
    """Return the README's pictures that install the published server by a click."""
    links = web_links(Launch(("uvx", "quantinal-mcp"), {TOKEN_ENV: PLACEHOLDER}))
    return "\n".join(
        f"[![Install in {client}](assets/install-{client.lower().replace(' ', '')}.svg)]({link})"
        for client, link in links.items()
    )


def manifest(text: str) -> dict[str, Any]:
    """Return the manifest with this version, these tools and these prompts; the rest of it is written by hand."""
    return {
        **json.loads(text),
        "version": __version__,
        "tools": [{"name": offer.function.__name__, "description": summary(offer)} for offer in OFFERS],
        "prompts": [_prompt(request) for request in PROMPTS],
    }


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
        "repository": {"url": HOME, "source": "github"},
        "websiteUrl": HOME,
        "icons": [
            {"src": f"{RAW}/assets/icon.png", "mimeType": "image/png", "sizes": ["512x512"]},
            {"src": f"{RAW}/assets/icon.svg", "mimeType": "image/svg+xml", "sizes": ["any"]},
        ],
        "packages": [
            {
                "registryType": "pypi",
                "identifier": "quantinal-mcp",
                "version": __version__,
                "runtimeHint": "uvx",
                "transport": {"type": "stdio"},
                "environmentVariables": [
                    _variable(option, getattr(Settings(), name))
                    for name, option in options().items()
                    if name not in _HTTP_ONLY
                ],
            }
        ],
    }


def _variable(option: Option, default: Any) -> dict[str, Any]:
    is_switch = option.parse is parse_switch
    variable: dict[str, Any] = {
        "name": option.env,
        "description": option.meaning.replace("`", ""),
        "format": "boolean" if is_switch else "string",
    }
    if option.secret:
        variable["isSecret"] = True
    if default is not None and option.default not in {"none", "all"}:  # what readers of this may fill in as it stands
        variable["default"] = {"on": "true", "off": "false"}[option.default] if is_switch else option.default
    return variable
