"""Programs that others wrote, each in an environment of its own, which stays for the next run."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from help.seeded import TESLA

ROOT = Path(__file__).parents[2]
DRIVERS = ROOT / "tests" / "clients" / "drivers"
SERVER: dict[str, Any] = {
    "command": sys.executable,
    "args": ["-m", "quantinal_mcp"],
    "env": {"QUANTINAL_SANDBOX": "1", "PYTHONPATH": str(ROOT)},
}
TRIGGER = {"tracker_id": TESLA, "sync": True, "context": {"sandbox": {"seconds": 5}}}
"""A run that outlives the service's limit for synchronous ones, 3 seconds, and is finished by polling."""

CLAUDE = "@anthropic-ai/claude-code@2.1.197"
GEMINI = "@google/gemini-cli@0.61.0"

_CACHE = ROOT / ".cache" / "clients"
_NO_ANSWER = re.compile(
    r"ENOTFOUND|EAI_AGAIN|ETIMEDOUT|ECONNREFUSED|ECONNRESET|ENETUNREACH|Max retries exceeded|timed out|"
    r"Temporary failure in name resolution|NewConnectionError|network is unreachable",
    re.IGNORECASE,
)


def python_with(*requirements: str) -> Path:
    """The interpreter of an environment that holds these packages."""
    with _environment("python", requirements) as home:
        python = home / "bin" / "python"
        if not _is_ready(home):
            _run([sys.executable, "-m", "venv", str(home)])
            _install([str(python), "-m", "pip", "install", "--quiet", *requirements], home)
        return python


def node_with(*packages: str) -> Path:
    """A folder in whose `node_modules` these packages are, and beside it the drivers."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("Node.js is not installed")
    with _environment("node", packages) as home:
        if not _is_ready(home):
            (home / "package.json").write_text('{"private": true}', "utf-8")
            _install(["npm", "install", "--no-audit", "--no-fund", "--loglevel=error", *packages], home)
        for driver in DRIVERS.glob("*.mjs"):
            shutil.copy(driver, home)  # modules are looked for beside the file that imports them
        return home


def drive(command: Sequence[str | Path], job: Mapping[str, Any], cwd: Path | None = None) -> Any:
    """What a driver tells of its job, in its last line."""
    done = _run([str(part) for part in command], cwd=cwd, env={**os.environ, "CLIENT_JOB": json.dumps(job)})
    return json.loads(done.stdout.splitlines()[-1])


def run(command: Sequence[str | Path], cwd: Path | None = None, env: Mapping[str, str] | None = None) -> str:
    """What a program prints; it must succeed."""
    return _run([str(part) for part in command], cwd=cwd, env=env).stdout


@contextmanager
def _environment(kind: str, packages: Sequence[str]) -> Generator[Path]:
    """The folder of an environment, which one process at a time may fill."""
    about = repr((kind, packages, sysconfig.get_platform(), sys.version_info[:2]))
    name = re.sub(r"[^a-z0-9]+", "-", packages[0].lower()).strip("-")
    home = _CACHE / f"{name}-{hashlib.sha256(about.encode()).hexdigest()[:12]}"
    home.mkdir(parents=True, exist_ok=True)
    with (home / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield home


def _is_ready(home: Path) -> bool:
    return (home / ".ready").exists()


def _install(command: Sequence[str], home: Path) -> None:
    done = subprocess.run(command, cwd=home, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        said = done.stdout + done.stderr
        if _NO_ANSWER.search(said):
            pytest.skip(f"the package registry did not answer: {said.strip().splitlines()[-1]}")
        pytest.fail(f"{' '.join(command)} failed:\n{said[-3000:]}")
    (home / ".ready").touch()


def _run(
    command: Sequence[str], cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=300)  # noqa: S603
    if done.returncode:
        pytest.fail(f"{' '.join(command)} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-3000:]}")
    return done
