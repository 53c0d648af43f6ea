"""The tables in README.md of tools, resources, prompts and settings."""

from __future__ import annotations

import re

from quantinal_mcp.parsing import parse_switch
from quantinal_mcp.protocol.offers import Offer
from quantinal_mcp.protocol.prompts import PROMPTS, Request
from quantinal_mcp.protocol.resources import RESOURCES
from quantinal_mcp.server import OFFERS
from quantinal_mcp.settings import options


def readme(text: str, badges: str) -> str:
    """Return the README with its badges and its tables as they should be."""
    parts = {"badges": badges, "tools": _tools(), "extras": _extras(), "environment": _environment()}
    for name, part in parts.items():
        text = _between(text, name, part)
    return text


def summary(offer: Offer) -> str:
    """Return the first clause of what a model reads."""
    text = " ".join((offer.function.__doc__ or "").split())
    clause = re.split(r", e\.g\.|[.;:](?: |$)", text, maxsplit=1)[0]
    return re.sub(r"\s*\([^)]*$", "", clause)  # a bracket that closes behind the cut


def _between(text: str, name: str, content: str) -> str:
    """Return `text` with `content` between the markers of that name.

    Raises:
        ValueError: The markers are not there once.
    """
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    new, count = re.subn(f"{begin}.*{end}", lambda _: f"{begin}\n{content}\n{end}", text, flags=re.DOTALL)
    if count != 1:
        raise ValueError(f"expected {begin} and {end} once")
    return new


def _table(*rows: tuple[str, ...]) -> str:
    lines = (rows[0], ("---",) * len(rows[0]), *rows[1:])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _tools() -> str:
    """Return one row per tool, in the order in which clients list them."""
    rows = [(f"`{offer.function.__name__}`", offer.toolset, summary(offer), _effect(offer)) for offer in OFFERS]
    return _table(("tool", "toolset", "what it does", "effect"), *rows)


def _effect(offer: Offer) -> str:
    """Say what a tool does to the world."""
    if offer.reads:
        return "reads"
    name = offer.function.__name__
    return "deletes" if name.startswith("delete_") else "writes, costs quants" if name == "trigger_run" else "writes"


def _extras() -> str:
    """Return one row per resource and prompt."""
    resources = [(item.uri, item.function) for item in RESOURCES]
    prompts = [(f"{request.function.__name__}({_arguments(request)})", request.function) for request in PROMPTS]
    rows = [(f"`{name}`", (function.__doc__ or "").rstrip(".")) for name, function in (*resources, *prompts)]
    return _table(("resource or prompt", "what it is for"), *rows)


def _arguments(request: Request) -> str:
    return ", ".join(argument.name + ("" if argument.required else "?") for argument in request.arguments)


def _environment() -> str:
    """Return one row per option."""
    rows: list[tuple[str, ...]] = []
    for option in options().values():
        name = option.flag.removeprefix("--")
        flag = f"`--{name}`, `--no-{name}`" if option.parse is parse_switch else f"`{option.flag}`"
        shown = "none, it is a secret" if option.secret else flag + (", repeatable" if option.repeatable else "")
        rows.append((f"`{option.env}`", option.default, option.meaning, shown))
    return _table(("variable", "default", "meaning", "flag"), *rows)
