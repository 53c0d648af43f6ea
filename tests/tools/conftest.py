"""What the tests of the tools share."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from help.callers import Caller, connected
from help.eras import Mode
from quantinal_mcp.sandbox import Sandbox


@pytest.fixture
def mode() -> Mode:
    """The protocol era of `call`: 2026-07-28, unless a test asks for both."""
    return "auto"


@pytest.fixture
def sandbox() -> Sandbox:
    return Sandbox()


@pytest.fixture
async def call(sandbox: Sandbox, mode: Mode) -> AsyncGenerator[Caller]:
    """A client that cannot ask its user anything."""
    async with connected(sandbox, mode=mode) as caller:
        yield caller
