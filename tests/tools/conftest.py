"""What the tests of the tools share."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import pytest
from tools_help import Caller, Mode, connected
from trio.testing import MockClock

from quantinal_mcp.sandbox import Sandbox


@pytest.fixture
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """asyncio, unless a test asks for `trio_virtual`: trio, on which sleeping takes no time."""
    if getattr(request, "param", "asyncio") == "trio_virtual":
        return ("trio", {"clock": MockClock(autojump_threshold=0)})
    return "asyncio"


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
