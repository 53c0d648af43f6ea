"""Tokens and bytes of what a model reads, beside those that RESULTS.md has; `--write` keeps them there.

`--check` compares them with the budgets and exits with 1 if one is passed. Tokens are o200k, counted by npm's
gpt-tokenizer, which carries its vocabulary; it is installed into benchmarks/.cache.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))  # this tree's package, whatever is installed

import anyio  # noqa: E402
from mcp import Client  # noqa: E402

from quantinal_mcp.server import build_server  # noqa: E402
from quantinal_mcp.settings import Settings  # noqa: E402

CACHE = HERE / ".cache"
RESULTS = HERE / "RESULTS.md"
TOKENIZER = "gpt-tokenizer@3.4.0"
TRACKER = "trk_a1b2c3d4-5e6f-4a7b-8c9d-0e1f2a3b4c5d"
OTHER = "trk_e4f5a6b7-1c2d-4e3f-a4b5-c6d7e8f9a0b1"
RUN = "run_9f8e7d6c-5a4b-4c3d-2e1f-0a9b8c7d6e5f"

WHOLE, VISIBLE = "tools/list whole", "tools as a model sees them"
ANSWERS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "10 trackers (get_overview)": ("get_overview", {}),
    "20 runs (list_runs)": ("list_runs", {"tracker_id": TRACKER}),
    "20 runs in full": ("list_runs", {"tracker_id": TRACKER, "detail": "full"}),
    "one run (get_run)": ("get_run", {"tracker_id": TRACKER, "run_id": RUN}),
    "one run (wait_for_run)": ("wait_for_run", {"tracker_id": TRACKER, "run_id": RUN}),
    "a tracker (get_tracker)": ("get_tracker", {"tracker_id": TRACKER}),
    "an estimate (estimate_run_cost)": ("estimate_run_cost", {"tracker_id": TRACKER}),
    "50 scores (get_score_history)": ("get_score_history", {"tracker_id": TRACKER}),
    "two trackers (compare_scores)": ("compare_scores", {"tracker_ids": [TRACKER, OTHER]}),
    "a month (get_spending)": ("get_spending", {}),
    "a finished run (trigger_run)": ("trigger_run", {"tracker_id": TRACKER, "sync": True, "wait_seconds": 60}),
}
BUDGETS: Mapping[str, int] = {
    WHOLE: 8700,
    VISIBLE: 3750,
    "10 trackers (get_overview)": 900,
    "20 runs (list_runs)": 2500,
    "50 scores (get_score_history)": 1100,
    "one run (get_run)": 320,
    "one run (wait_for_run)": 320,
    "a finished run (trigger_run)": 340,
}
"""Tokens. Ids and results alone make 2,200 of the 20 runs."""

_COUNT = """
import { encode } from "gpt-tokenizer/encoding/o200k_base";
import { readFileSync } from "node:fs";
const texts = JSON.parse(readFileSync(0, "utf8"));
console.log(JSON.stringify(texts.map((text) => encode(text, { allowedSpecial: "all" }).length)));
"""


def count(texts: Sequence[str]) -> list[int]:
    """Return the tokens of each text."""
    if not (CACHE / "node_modules" / "gpt-tokenizer").exists():
        CACHE.mkdir(exist_ok=True)
        npm = ["npm", "install", "--silent", "--no-save", "--prefix", str(CACHE), TOKENIZER]
        subprocess.run(npm, check=True, stdout=subprocess.DEVNULL)
    node = ["node", "--input-type=module", "--eval", _COUNT]
    done = subprocess.run(node, input=json.dumps(texts).encode(), stdout=subprocess.PIPE, check=True, cwd=CACHE)
    return json.loads(done.stdout)


def compact(value: object) -> str:
    """Return JSON as it travels."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def listing(tools: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The texts of a `tools/list`: whole, as a model sees it, and each tool so."""
    seen = {tool["name"]: {key: tool[key] for key in ("name", "description", "inputSchema")} for tool in tools}
    texts = {WHOLE: compact({"tools": tools}), VISIBLE: compact(list(seen.values()))}
    return texts | {name: compact(tool) for name, tool in seen.items()}


async def read() -> dict[str, str]:
    """What our server lists, and what it answers from the sandbox."""
    async with Client(build_server(Settings(sandbox=True))) as client:
        tools = (await client.list_tools()).tools
        texts = listing([tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools])
        for name, (tool, arguments) in ANSWERS.items():
            [content] = (await client.call_tool(tool, arguments)).content
            texts[name] = getattr(content, "text", "")
        return texts


def measured() -> dict[str, tuple[int, int]]:
    """Tokens and bytes by name."""
    texts = anyio.run(read)
    sizes = zip(count(list(texts.values())), texts.values(), strict=True)
    return {name: (tokens, len(text.encode())) for name, (tokens, text) in zip(texts, sizes, strict=True)}


def committed() -> dict[str, int]:
    """The tokens that RESULTS.md has, by name."""
    rows = re.findall(r"^\| (.+?) \| ([\d,]+) \| [\d,]+ \|$", RESULTS.read_text("utf-8"), re.MULTILINE)
    return {name: int(tokens.replace(",", "")) for name, tokens in rows}


def keep(sizes: Mapping[str, tuple[int, int]]) -> None:
    """Write the figures into RESULTS.md, before those of others, which only a whole benchmark measures."""
    text = RESULTS.read_text("utf-8")
    table = re.search(r"(?<=\n\|  \| tokens \| bytes \|\n\| --- \| --- \| --- \|\n)(?:\|.*\n)+", text)
    assert table  # noqa: S101 - as run.py writes it
    others = [row for row in table[0].splitlines() if row.startswith("| fastmcp bridge: ")]
    ours = [f"| {name} | {tokens:,} | {size:,} |" for name, (tokens, size) in sizes.items()]
    RESULTS.write_text(text.replace(table[0], "\n".join([*ours, *others]) + "\n"), "utf-8")


def main() -> int:
    """Print the figures and what has changed, and return the exit status."""
    sizes, before = measured(), committed()
    over = {name: limit for name, limit in BUDGETS.items() if sizes[name][0] > limit}
    for name, (tokens, size) in sizes.items():
        change = f"{tokens - before[name]:+}" if name in before else "new"
        line = f"{tokens:6} tokens {'' if change == '+0' else change:>6} {size:6} bytes  {name}"
        print(line + (f"  above {over[name]}" if name in over else ""))
    for name in before.keys() - sizes.keys():
        if not name.startswith("fastmcp bridge"):
            print(f"  gone: {name}, which had {before[name]} tokens")
    if "--write" in sys.argv[1:]:
        keep(sizes)
    return 1 if over and "--check" in sys.argv[1:] else 0


if __name__ == "__main__":
    sys.exit(main())
