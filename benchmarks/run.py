"""Measures this server beside what anybody can check it against, in one run and by turns, and prints a table.

`python benchmarks/run.py [--fastmcp] [--rounds N] [--write]`; see README.md beside this file.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import platform
import subprocess
import sys
import venv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from backend import backend
from calls import CALLS, IN_FLIGHT, Raw, latencies, throughputs
from held import SECONDS, WAITS, held
from journal import section as journal_section
from stdio import Server, cold_start, served
from tokens import ANSWERS, CACHE, TRACKER, VISIBLE, WHOLE, count, listing, measured
from waits import waits

HERE = Path(__file__).resolve().parent
OURS, BARE, RAW, PROXY, BRIDGE = "quantinal-mcp", "bare SDK", "raw httpx", "pass-through proxy", "fastmcp bridge"
FASTMCP = "fastmcp==4.1.2"
Row = tuple[str, ...]


def main() -> None:
    """Measure, print, and with --write keep."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--fastmcp", action="store_true", help="beside fastmcp too, which is installed for it")
    options.add_argument("--rounds", type=int, default=15, help="cold starts of each; calls are 20 times as many")
    options.add_argument("--write", action="store_true", help="keep the tables in RESULTS.md")
    chosen = options.parse_args()
    text = report(bridge_python() if chosen.fastmcp else None, chosen.rounds)
    print(text)
    if chosen.write:
        (HERE / "RESULTS.md").write_text(text + "\n", "utf-8")


def bridge_python() -> str:
    """Return the interpreter of an environment with fastmcp in it."""
    home = CACHE / "fastmcp"
    python = home / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not python.exists():
        venv.create(home, with_pip=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", FASTMCP, "httpx"], check=True)
    return str(python)


def report(bridge: str | None, rounds: int) -> str:
    """Return the tables."""
    commands: dict[str, Sequence[str]] = {
        BARE: (sys.executable, str(HERE / "floors" / "bare.py")),
        PROXY: (sys.executable, str(HERE / "floors" / "proxy.py")),
        OURS: (sys.executable, "-m", "quantinal_mcp"),
    }
    if bridge:
        commands[BRIDGE] = (bridge, str(HERE / "floors" / "bridge.py"))
    with backend() as (base_url, token):
        environment = {"QUANTINAL_BASE_URL": base_url, "QUANTINAL_API_TOKEN": token}
        environment["PYTHONPATH"] = str(HERE.parent)
        starts = list(start_rows(commands, environment, rounds))
        with ExitStack() as stack:
            servers: dict[str, Server] = {}
            for name, command in commands.items():
                servers[name] = stack.enter_context(served(command, environment))
                servers[name].shake_hands()
            raw = Raw(base_url, token)
            calls = list(call_rows(raw, servers, rounds))
            bridged = listing(servers[BRIDGE].ask("tools/list")["tools"]) if bridge else {}
            if bridge:
                answer = servers[BRIDGE].call("list_runs", {"tracker_id": TRACKER, "page_size": 20})
                bridged["20 runs (list_runs)"] = answer["content"][0]["text"]
            raw.close()
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()}"
    return "\n\n".join(
        (
            "# Results",
            f"{dt.datetime.now(dt.UTC).date()}, {machine}; written by `benchmarks/run.py`.",
            "## Start\n\nA new process to its answered `tools/list` on stdio.\n\n"
            + table(("", "median s", "best s", "CPU s", "memory MB", "start", "CPU", "memory"), starts),
            f"## Calls\n\nOver stdio to one backend over HTTP; throughput with {IN_FLIGHT} calls of get_run in flight. "
            "Ratios to the proxy, of throughput to raw httpx.\n\n"
            + table(("", "", "p50 ms", "p95 ms", "p50 ratio"), calls),
            "## Tokens\n\no200k, compact JSON.\n\n" + table(("", "tokens", "bytes"), list(token_rows(bridged))),
            "## Waits\n\nRuns on a simulated clock: followed with `wait_for_run` of 300 s, and as a task at the "
            "intervals it asks for.\n\n"
            + table(
                ("followed by", "run, s", "requests", "noticed after its end, s"),
                [
                    (how, f"{length:g}", str(requests), f"{late:.1f}")
                    for how, by_length in waits().items()
                    for length, (requests, late) in by_length.items()
                ],
            ),
            held_section(),
            journal_section(rounds * 7),
        )
    )


def held_section() -> str:
    """What many waits at once cost."""
    kilobytes, rate = held()
    return (
        f"## Held waits\n\n{WAITS} waits of {SECONDS:.0f} s at once over HTTP, of four accounts: {kilobytes:.0f} kB of "
        f"the server's memory for each, {rate:.1f} requests to the service a second."
    )


def start_rows(commands: Mapping[str, Sequence[str]], environment: Mapping[str, str], rounds: int) -> Iterator[Row]:
    """Cold starts, each of them in every round."""
    taken: dict[str, list[tuple[float, float, float]]] = {name: [] for name in commands}
    for command in commands.values():
        cold_start(command, environment)  # compiles, and fills the file cache
    for _ in range(rounds):
        for name, command in commands.items():
            taken[name].append(cold_start(command, environment))
    middles = {name: [median(column) for column in zip(*runs, strict=True)] for name, runs in taken.items()}
    for name, middle in middles.items():
        ratios = (f"{value / floor:.2f} ×" for value, floor in zip(middle, middles[BARE], strict=True))
        best = min(seconds for seconds, _, _ in taken[name])
        yield (name, f"{middle[0]:.3f}", f"{best:.3f}", f"{middle[1]:.2f}", f"{middle[2]:.1f}", *ratios)


def call_rows(raw: Raw, servers: Mapping[str, Server], rounds: int) -> Iterator[Row]:
    """Latencies of each tool, then calls per second."""
    callers = {name: server for name, server in servers.items() if name != BARE}
    names = (RAW, *callers)
    times = latencies(raw, callers, rounds * 20)
    for tool in CALLS:
        shown = "list_runs of 100" if tool == "list_runs" else tool
        for name in names:
            middle, late = times[tool, name]
            yield (shown, name, f"{middle:.2f}", f"{late:.2f}", f"{middle / times[tool, PROXY][0]:.2f} ×")
    rates = throughputs(raw, servers, rounds, 200)
    for name, (rate, cost) in rates.items():
        shown = f"{name}, empty tool" if name == BARE else name
        yield ("calls per second", shown, f"{rate:.0f}", f"{cost:.2f} ms CPU per call", f"{rate / rates[RAW][0]:.2f} ×")


def token_rows(bridged: Mapping[str, str]) -> Iterator[Row]:
    """Our figures, and the bridge's."""
    sizes = measured()
    first = (WHOLE, VISIBLE)
    for name in (*first, *ANSWERS, *(name for name in sizes if name not in (*first, *ANSWERS))):
        tokens, size = sizes[name]
        yield (name, f"{tokens:,}", f"{size:,}")
    compared = [name for name in (*first, *ANSWERS) if name in bridged]
    for name, tokens in zip(compared, count([bridged[name] for name in compared]), strict=True):
        yield (f"{BRIDGE}: {name}", f"{tokens:,}", f"{len(bridged[name].encode()):,}")


def table(head: Row, rows: Sequence[Row]) -> str:
    """Return a Markdown table."""
    lines = (head, ("---",) * len(head), *rows)
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


if __name__ == "__main__":
    main()
