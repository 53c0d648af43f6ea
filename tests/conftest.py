"""What every test starts from: an environment that configures nothing, and asyncio. And which tests are quick."""

import gc
import json
import os
from collections.abc import Generator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from jsonschema import Draft202012Validator

pytest.register_assert_rewrite("help")

from help.callers import close_memory  # noqa: E402 - its asserts are to be rewritten
from help.eras import trio_virtual  # noqa: E402
from help.seeded import SERVICES  # noqa: E402


@pytest.fixture(autouse=True, scope="session")
def _schemas_checked_once() -> Generator[None]:  # pyright: ignore[reportUnusedFunction]
    """The SDK's client checks a tool's schema anew in each session, which takes a tenth of the time of all tests."""
    check = Draft202012Validator.check_schema
    checked: set[str] = set()

    def check_once(schema: Any) -> None:
        written = json.dumps(schema, sort_keys=True)
        if written not in checked:
            check(schema)
            checked.add(written)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Draft202012Validator, "check_schema", check_once)
        yield


_PATIENT = {
    "budgets",
    "cli",
    "clients",
    "fleet",
    "http",
    "listings",
    "picture",
    "plugins",
    "sandbox",
    "service",
    "stress",
}
_PATIENT_FILES = {
    "test_broken_journals.py",
    "test_cancelling.py",
    "test_fault_matrix.py",
    "test_imports.py",
    "test_interleavings.py",
    "test_interruptions.py",
    "test_journal_bad_days.py",
    "test_journal_deaths.py",
    "test_journal_files.py",
    "test_journal_fleet.py",
    "test_journal_machine.py",
    "test_long_histories.py",
    "test_slow_services.py",
    "test_tools_spans.py",
}
_VARIANTS = ("legacy", "v0.3")
"""What is not marked `quick`: what starts processes, waits on sockets or plays many scenes, the tests of the sandbox
itself, and of all others those marked `patient` and those that repeat a test in the older era or with the newer
service."""

_NETWORK = {"http_proxy", "https_proxy", "all_proxy", "no_proxy", "ssl_cert_file", "ssl_cert_dir", "sslkeylogfile"}
"""How a machine reaches the network: only tests that install other people's programs need it."""


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores, since tests also wait."""
    return (os.cpu_count() or 1) + 1


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--service", choices=SERVICES, default=SERVICES[0], help="Which the sandbox plays.")


@pytest.fixture
def service(request: pytest.FixtureRequest) -> Any:
    """Which service the sandbox plays: that of the option, unless a test asks for another."""
    return getattr(request, "param", request.config.getoption("--service"))


@pytest.fixture(autouse=True)
def _bare_environment(  # pyright: ignore[reportUnusedFunction]
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Generator[None]:
    network = set[str]() if request.node.get_closest_marker("clients") else _NETWORK
    for name in list(os.environ):
        if name.startswith("QUANTINAL_") or name.lower() in network:
            monkeypatch.delenv(name)
    # No test keeps a journal in a real home.
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.getbasetemp() / f"state-{uuid4()}"))
    yield
    close_memory()


@pytest.fixture
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """asyncio, unless a test asks for `trio_virtual`: trio, on which sleeping takes no time."""
    if getattr(request, "param", "asyncio") == "trio_virtual":
        return trio_virtual()
    return "asyncio"


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if "and not fleet" in str(config.getoption("-m")):
        terminalreporter.write_line(
            "Left out: a fleet on a real PostgreSQL behind a real nginx; .ci/fleet, then python -m pytest -m fleet -n 0"
        )


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    return True if config.getoption("-m") == "quick" and _is_patient(collection_path) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _is_quick(item):
            item.add_marker(pytest.mark.quick)


def pytest_collection_finish() -> None:
    """Look seldom for garbage among what was imported and collected: a twelfth of the time of all tests.

    It is not frozen, since Hypothesis asks for referrers and sees none among what is.
    """
    gc.set_threshold(20_000, 10, 100)


def _is_quick(item: pytest.Item) -> bool:
    callspec = getattr(item, "callspec", None)
    parameters = callspec.params.values() if callspec is not None else ()
    is_marked = any(item.get_closest_marker(marker) for marker in ("patient", "slow", "fleet"))
    return not (is_marked or _is_patient(item.path) or any(value in _VARIANTS for value in parameters))


def _is_patient(path: Path) -> bool:
    return path.relative_to(Path(__file__).parent).parts[0] in _PATIENT or path.name in _PATIENT_FILES
