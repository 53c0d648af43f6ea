"""Imports run downward, and starting the server does not pay for what it does not use."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent


def run(code: str, root: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, cwd=root)  # noqa: S603


def lint(root: Path = ROOT) -> tuple[int, str]:
    done = run("import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))", root)
    return done.returncode, done.stdout + done.stderr


def test_the_contracts_of_the_import_linter_are_kept() -> None:
    status, said = lint()
    assert status == 0, said
    assert "0 broken" in said


@pytest.mark.parametrize(
    ("module", "code", "contract"),
    [
        ("parlour.py", "", "Imports run downward, and every module has its place"),
        ("parlour/__init__.py", "", "Imports run downward, and every module has its place"),
        ("client/parlour.py", "import quantinal_mcp.runs", "Imports run downward, and every module has its place"),
        ("sandbox/parlour.py", "import quantinal_mcp.errors", "The sandbox knows nobody, and needs no MCP"),
        (
            "runs/parlour.py",
            "import quantinal_mcp.sandbox",
            "Only the backend and the sandbox command import the sandbox",
        ),
        ("money/parlour.py", "import mcp", "Nothing below the protocol knows MCP"),
    ],
)
def test_a_module_without_a_place_or_with_a_wrong_import_breaks_its_contract(
    tmp_path: Path, module: str, code: str, contract: str
) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "quantinal_mcp", tmp_path / "quantinal_mcp", ignore=shutil.ignore_patterns("__pycache__"))
    added = tmp_path / "quantinal_mcp" / module
    added.parent.mkdir(exist_ok=True)
    added.write_text(code)
    status, said = lint(tmp_path)
    assert status == 1, said
    assert f"{contract} BROKEN" in said
    assert "parlour" in said


def test_what_is_forbidden_to_some_is_forbidden_to_every_room_that_it_should_be() -> None:
    """Lists of modules in a contract do not grow by themselves, as its layers must."""
    order = [name for layer in contract("Imports run downward, and every")["layers"] for name in layer.split(" | ")]
    below_protocol = order[order.index("protocol") + 1 :]
    others = set(order) - {"sandbox"}
    assert names(contract("The sandbox knows nobody")["forbidden_modules"]) == others | {"mcp"}
    assert names(contract("Only the backend")["source_modules"]) == others - {"cli", "backend"}
    assert names(contract("Nothing below the protocol")["source_modules"]) == set(below_protocol) - {"sandbox"}


def test_no_file_is_longer_than_300_lines() -> None:
    rooms = ("quantinal_mcp", "scripts", "tests", "benchmarks")
    paths = [path.relative_to(ROOT) for room in rooms for path in (ROOT / room).rglob("*.py")]
    ours = [path for path in paths if ".cache" not in path.parts]  # there, benchmarks install other people's programs
    lengths = {path: len((ROOT / path).read_text("utf-8").splitlines()) for path in ours}
    assert {path: length for path, length in lengths.items() if length > 300} == {}
    assert len(lengths) > 350


def contract(beginning: str) -> dict[str, Any]:
    linter = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    [found] = [one for one in linter["contracts"] if one["name"].startswith(beginning)]
    return found


def names(modules: list[str]) -> set[str]:
    return {module.removeprefix("quantinal_mcp.") for module in modules}


def test_importing_the_server_imports_neither_the_sandbox_nor_what_only_the_demo_needs() -> None:
    done = run("import sys, quantinal_mcp.server; print(*sys.modules)")
    assert done.returncode == 0, done.stderr
    imported = set(done.stdout.split())
    assert "quantinal_mcp.protocol.caller" in imported
    assert not imported & {"quantinal_mcp.sandbox", "rich"}
