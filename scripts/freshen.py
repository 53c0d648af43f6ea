"""Rewrites all that is generated: how tools are listed, the README's tables, manifest.json, server.json, plugins/.

With `--check` it writes nothing, names what is stale, and exits with 1 if anything is.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # this tree's package, whatever is installed

from listings import badges, manifest, server  # noqa: E402
from readme import readme  # noqa: E402

from plugins import PLUGINS, plugins  # noqa: E402
from quantinal_mcp.protocol.definitions import FOLDER, define  # noqa: E402
from quantinal_mcp.server import OFFERS  # noqa: E402

LISTED = ROOT / "quantinal_mcp" / "protocol" / FOLDER.name


def main() -> int:
    """Return the exit status."""
    only_check = "--check" in sys.argv[1:]
    texts = generated()
    stale = {path: text for path, text in texts.items() if text != read(path)}
    gone = {*LISTED.glob("*.json"), *(path for path in PLUGINS.rglob("*") if path.is_file())} - texts.keys()
    for path in sorted(stale.keys() | gone):
        name = path.relative_to(ROOT)
        if only_check:
            print(f"{name} is stale; run: python scripts/freshen.py")
        elif path in gone:
            path.unlink()
            print(f"{name} is removed")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(stale[path], "utf-8")
            print(f"{name} is rewritten")
    return 1 if only_check and (stale or gone) else 0


def generated() -> Mapping[Path, str]:
    """Return every generated file with the text that it should have."""
    texts = {LISTED / f"{offer.function.__name__}.json": as_json(define(offer)) for offer in OFFERS}
    texts[ROOT / "README.md"] = readme(read(ROOT / "README.md"), badges())
    texts[ROOT / "manifest.json"] = as_json(manifest(read(ROOT / "manifest.json")))
    texts[ROOT / "server.json"] = as_json(server())
    made = {path: made if isinstance(made, str) else as_json(made) for path, made in plugins().items()}
    return {**texts, **made}


def read(path: Path) -> str:
    """Return the text of a file, none being empty."""
    return path.read_text("utf-8") if path.exists() else ""


def as_json(fields: Mapping[str, Any]) -> str:
    """Return a file of these fields."""
    return json.dumps(fields, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.exit(main())
