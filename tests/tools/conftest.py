"""What the tests of the tools share."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from help.callers import Caller, connected
from help.eras import Mode
from help.seeded import SERVICES
from quantinal_mcp.sandbox import Sandbox

BOTH_SERVICES = {
    f"test_tools_{what}"
    for what in ("answers", "consent", "deletes", "estimates", "next_steps", "scores", "services", "updates")
}
"""Where it matters which service answers. `--service` plays the newer one to all the other tests."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "service" in metafunc.fixturenames and metafunc.definition.path.stem in BOTH_SERVICES:
        metafunc.parametrize("service", SERVICES, indirect=True)


@pytest.fixture
def mode() -> Mode:
    """The protocol era of `call`: 2026-07-28, unless a test asks for both."""
    return "auto"


@pytest.fixture
def sandbox(service: str) -> Sandbox:
    return Sandbox(service=service)


@pytest.fixture
async def call(sandbox: Sandbox, mode: Mode) -> AsyncGenerator[Caller]:
    """A client that cannot ask its user anything."""
    async with connected(sandbox, mode=mode) as caller:
        yield caller
