"""What keeping a journal on disk adds to a trigger: the same triggers with it in memory and in a file, by turns.

`python benchmarks/journal.py [--rounds N] [--folder FOLDER] [--write]`; with --write the section in RESULTS.md is
rewritten. Goal: at most 8 ms at the median.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median, quantiles

import httpx
from backend import backend
from stdio import Server, served

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "RESULTS.md"
MEMORY, FILE, SYNC = "trigger_run, journal in memory", "trigger_run, journal in a file", "one sync of 4 KiB there"


def main() -> None:
    """Measure, print, and with --write keep."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=100, help="triggers of each")
    options.add_argument("--folder", type=Path, help="where the file is; a temporary one, if not given")
    options.add_argument("--write", action="store_true", help="keep the table in RESULTS.md")
    chosen = options.parse_args()
    text = section(chosen.rounds, chosen.folder)
    print(text)
    if chosen.write:
        kept = RESULTS.read_text("utf-8")
        without = re.sub(r"\n## Journal\n.*?(?=\n## |\Z)", "", kept, flags=re.DOTALL)
        RESULTS.write_text(f"{without.rstrip()}\n\n{text}\n", "utf-8")


def section(rounds: int, folder: Path | None = None) -> str:
    """Return the section of RESULTS.md."""
    taken = measure(rounds, folder)
    rows = "\n".join(f"| {name} | {median(ms):.2f} | {quantiles(ms, n=20)[-1]:.2f} |" for name, ms in taken.items())
    added = median(taken[FILE]) - median(taken[MEMORY])
    return (
        "## Journal\n\nOver stdio, by turns, each trigger of a tracker of its own; the file adds "
        f"{added:.1f} ms at the median. Written by `benchmarks/journal.py`.\n\n"
        f"|  | p50 ms | p95 ms |\n| --- | --- | --- |\n{rows}"
    )


def measure(rounds: int, folder: Path | None) -> dict[str, list[float]]:
    """Return milliseconds of each trigger, and of a sync of the disk that the file is on."""
    taken: dict[str, list[float]] = {MEMORY: [], FILE: [], SYNC: []}
    with ExitStack() as stack:
        base_url, token = stack.enter_context(backend())
        folder = folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        places = {MEMORY: "memory", FILE: str(folder / "journal.db")}
        servers = {name: stack.enter_context(serving(base_url, token, place)) for name, place in places.items()}
        warm_up = 5
        trackers = made(base_url, token, 2 * (rounds + warm_up))
        syncs = syncing(folder / "sync")
        for number in range(rounds + warm_up):
            for name, server in servers.items():
                started = time.perf_counter()
                server.call("trigger_run", {"tracker_id": next(trackers)})
                spent = 1000 * (time.perf_counter() - started)
                if number >= warm_up:
                    taken[name].append(spent)
            if number >= warm_up:
                taken[SYNC].append(next(syncs))
    return taken


@contextmanager
def serving(base_url: str, token: str, state: str) -> Iterator[Server]:
    """A server whose journal is there, ready to be called."""
    environment = {
        "QUANTINAL_BASE_URL": base_url,
        "QUANTINAL_API_TOKEN": token,
        "QUANTINAL_STATE": state,
        "PYTHONPATH": str(HERE.parent),
    }
    with served((sys.executable, "-m", "quantinal_mcp"), environment) as server:
        server.shake_hands()
        yield server


def made(base_url: str, token: str, count: int) -> Iterator[str]:
    """New trackers, whose runs need no consent."""
    config = {"instruction": "Read.", "score_meaning": "Mood", "skills": ["web"]}
    body = {"name": "New", "description": "New", "run_mode": "manual", "agent_config": config}
    with httpx.Client(base_url=base_url, headers={"Authorization": f"Bearer {token}"}, trust_env=False) as client:
        space = client.get("/api/spaces").json()["data"][0]["space_id"]
        ids = [client.post(f"/api/spaces/{space}/trackers", json=body).json()["tracker_id"] for _ in range(count)]
    return iter(ids)


def syncing(path: Path) -> Iterator[float]:
    """Milliseconds of one write and sync after another."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        while True:
            started = time.perf_counter()
            os.pwrite(handle, os.urandom(4096), 0)
            os.fsync(handle)
            yield 1000 * (time.perf_counter() - started)
    finally:
        os.close(handle)


if __name__ == "__main__":
    main()
