"""What every test starts from: an environment that configures nothing, and asyncio. And which tests are quick."""

import json
import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

pytest.register_assert_rewrite("help")

from help.eras import trio_virtual  # noqa: E402 - its asserts are to be rewritten
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
    "test_cancelling.py",
    "test_fault_matrix.py",
    "test_imports.py",
    "test_interleavings.py",
    "test_journal_bad_days.py",
    "test_journal_deaths.py",
    "test_journal_fleet.py",
    "test_journal_machine.py",
    "test_slow_services.py",
}
_VARIANTS = ("legacy", "v0.3")
"""What is not marked `quick`: what starts processes, waits on sockets or plays thousands of scenes, the tests of the
sandbox itself, and of all others those that repeat a test in the older era or with the newer service."""

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
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    network = set[str]() if request.node.get_closest_marker("clients") else _NETWORK
    for name in list(os.environ):
        if name.startswith("QUANTINAL_") or name.lower() in network:
            monkeypatch.delenv(name)
    # No test keeps a journal in a real home.
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _is_quick(item):
            item.add_marker(pytest.mark.quick)


def _is_quick(item: pytest.Item) -> bool:
    path = item.path.relative_to(Path(__file__).parent)
    callspec = getattr(item, "callspec", None)
    parameters = callspec.params.values() if callspec is not None else ()
    is_patient = path.parts[0] in _PATIENT or path.name in _PATIENT_FILES
    is_patient = is_patient or any(item.get_closest_marker(marker) for marker in ("slow", "fleet"))
    return not is_patient and not any(value in _VARIANTS for value in parameters)
