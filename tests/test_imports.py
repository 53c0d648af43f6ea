"""Imports run downward, and starting the server does not pay for what it does not use."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, cwd=ROOT)  # noqa: S603


def test_the_contracts_of_the_import_linter_are_kept() -> None:
    done = run("import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


def test_importing_the_server_imports_neither_the_sandbox_nor_what_only_the_demo_needs() -> None:
    done = run("import sys, quantinal_mcp.server; print(*sys.modules)")
    assert done.returncode == 0, done.stderr
    imported = set(done.stdout.split())
    assert "quantinal_mcp.protocol.caller" in imported
    assert not imported & {"quantinal_mcp.sandbox", "rich"}
