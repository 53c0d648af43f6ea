"""What the tests of the client share."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import pytest
from client_help import reaching
from trio.testing import MockClock

from quantinal_mcp.client import QuantinalClient
from quantinal_mcp.sandbox import Sandbox


@pytest.fixture
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """asyncio, unless a test asks for `trio_virtual`: trio, on which sleeping takes no time."""
    if getattr(request, "param", "asyncio") == "trio_virtual":
        return ("trio", {"clock": MockClock(autojump_threshold=0)})
    return "asyncio"


@pytest.fixture
def sandbox() -> Sandbox:
    return Sandbox()


@pytest.fixture
async def client(sandbox: Sandbox) -> AsyncGenerator[QuantinalClient]:
    """A client of the sandbox in process."""
    async with reaching(transport=sandbox.transport()) as client:
        yield client
