"""Rewrites protocol/definitions.json from the tools' signatures and docstrings; `--check` says if stale."""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # this tree's package, whatever is installed

from quantinal_mcp.protocol.definitions import FILE, define
from quantinal_mcp.server import OFFERS


def main() -> int:
    """Return the exit status: with `--check`, 1 if the file is not what it would be rewritten to."""
    lines = ",\n".join(
        f"{json.dumps(offer.function.__name__)}: {json.dumps(define(offer), ensure_ascii=False)}" for offer in OFFERS
    )
    new = f"{{\n{lines}\n}}\n"
    if FILE.exists() and FILE.read_text("utf-8") == new:
        return 0
    if "--check" in sys.argv[1:]:
        print(f"{FILE.name} is stale; run: python scripts/definitions.py")
        return 1
    FILE.write_text(new, "utf-8")
    print(f"{FILE.name} is rewritten")
    return 0


if __name__ == "__main__":
    sys.exit(main())
