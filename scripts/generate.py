"""Rewrites what README.md and manifest.json say of the tools and the settings; `--check` names what is stale."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # this tree's package, whatever is installed

from quantinal_mcp import __version__  # noqa: E402
from quantinal_mcp.protocol.offers import Offer  # noqa: E402
from quantinal_mcp.server import OFFERS  # noqa: E402
from quantinal_mcp.settings import options, parse_switch  # noqa: E402


def main() -> int:
    """Return the exit status: with `--check`, 1 if a file is not what it would be rewritten to."""
    generated = {ROOT / "README.md": readme, ROOT / "manifest.json": manifest}
    stale = {path: new for path, make in generated.items() if (new := make(old := path.read_text("utf-8"))) != old}
    if "--check" in sys.argv[1:]:
        for path in stale:
            print(f"{path.name} is stale; run: python scripts/generate.py")
        return 1 if stale else 0
    for path, text in stale.items():
        path.write_text(text, "utf-8")
        print(f"{path.name} is rewritten")
    return 0


def readme(text: str) -> str:
    """Return the README with its tables as they should be."""
    return between(between(text, "tools", tools_table()), "environment", environment_table())


def between(text: str, name: str, content: str) -> str:
    """Return `text` with `content` between the markers of that name.

    Raises:
        ValueError: The markers are not there once.
    """
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    new, count = re.subn(f"{begin}.*{end}", lambda _: f"{begin}\n{content}\n{end}", text, flags=re.DOTALL)
    if count != 1:
        raise ValueError(f"expected {begin} and {end} once")
    return new


def tools_table() -> str:
    """Return one row per tool, in the order in which clients list them."""
    rows = [f"| `{offer.function.__name__}` | {summary(offer)} | {effect(offer)} |" for offer in OFFERS]
    return "\n".join(["| tool | what it does | effect |", "| --- | --- | --- |", *rows])


def environment_table() -> str:
    """Return one row per option."""
    rows: list[str] = []
    for option in options().values():
        name = option.flag.removeprefix("--")
        flag = f"`--{name}`, `--no-{name}`" if option.parse is parse_switch else f"`{option.flag}`"
        shown = "none, it is a secret" if option.secret else flag + (", repeatable" if option.repeatable else "")
        rows.append(f"| `{option.env}` | {option.default} | {option.meaning} | {shown} |")
    return "\n".join(["| variable | default | meaning | flag |", "| --- | --- | --- | --- |", *rows])


def summary(offer: Offer) -> str:
    """Return the first clause of what a model reads."""
    text = " ".join((offer.function.__doc__ or "").split())
    return re.split(r", e\.g\.|[.;:](?: |$)", text, maxsplit=1)[0]


def effect(offer: Offer) -> str:
    """Say what a tool does to the world."""
    if offer.reads:
        return "reads"
    name = offer.function.__name__
    return "deletes" if name.startswith("delete_") else "writes, costs quants" if name == "trigger_run" else "writes"


def manifest(text: str) -> str:
    """Return the bundle's manifest with this version and these tools."""
    fields: dict[str, Any] = json.loads(text)
    fields["version"] = __version__
    fields["tools"] = [{"name": offer.function.__name__, "description": summary(offer)} for offer in OFFERS]
    return json.dumps(fields, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.exit(main())
