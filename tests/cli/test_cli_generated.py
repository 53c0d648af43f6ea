"""What can drift is generated, and a stale file is named."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LISTED = "quantinal_mcp/protocol/listed"


def freshen(root: Path, *arguments: str) -> tuple[int, str]:
    done = subprocess.run(  # noqa: S603
        [sys.executable, str(root / "scripts" / "freshen.py"), *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return done.returncode, done.stdout


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A tree with all that is generated, and what generates it."""
    for name in ("scripts", "plugins", LISTED):
        shutil.copytree(ROOT / name, tmp_path / name)
    for name in ("README.md", "manifest.json", "server.json"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def test_all_that_is_generated_is_fresh() -> None:
    assert freshen(ROOT, "--check") == (0, "")


@pytest.mark.slow
def test_what_is_stale_is_named_and_rewritten(copy: Path) -> None:
    readme, tool, gone = copy / "README.md", copy / LISTED / "get_run.json", copy / LISTED / "get_moon.json"
    fresh = readme.read_text("utf-8")
    readme.write_text(fresh.replace("`QUANTINAL_PORT`", "`QUANTINAL_HARBOUR`"), "utf-8")
    tool.unlink()
    gone.write_text("{}", "utf-8")
    status, said = freshen(copy, "--check")
    assert (status, [line.split()[0] for line in said.splitlines()]) == (
        1,
        ["README.md", f"{LISTED}/get_moon.json", f"{LISTED}/get_run.json"],
    )
    assert (readme.read_text("utf-8") != fresh, tool.exists(), gone.exists()) == (True, False, True)
    assert freshen(copy)[0] == 0
    assert (readme.read_text("utf-8") == fresh, tool.exists(), gone.exists()) == (True, True, False)
    assert freshen(copy, "--check") == (0, "")
