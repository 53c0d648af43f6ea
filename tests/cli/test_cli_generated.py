"""What can drift is generated, and a stale file is named."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def generate(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603
        [sys.executable, str(root / "scripts" / "generate.py"), *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_readme_and_manifest_are_as_generated() -> None:
    done = generate(ROOT, "--check")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_stale_file_is_named_and_rewritten(tmp_path: Path) -> None:
    for name in ("scripts/generate.py", "README.md", "manifest.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    readme = tmp_path / "README.md"
    fresh = readme.read_text("utf-8")
    readme.write_text(fresh.replace("`QUANTINAL_PORT`", "`QUANTINAL_HARBOUR`"), "utf-8")
    stale = generate(tmp_path, "--check")
    assert (stale.returncode, "README.md" in stale.stdout, "manifest.json" in stale.stdout) == (1, True, False)
    assert generate(tmp_path).returncode == 0
    assert readme.read_text("utf-8") == fresh
