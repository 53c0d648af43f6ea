"""What the tests of the client share."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from help.services import reaching
from quantinal_mcp.client import QuantinalClient
from quantinal_mcp.sandbox import Sandbox


@pytest.fixture
def sandbox() -> Sandbox:
    return Sandbox()


@pytest.fixture
async def client(sandbox: Sandbox) -> AsyncGenerator[QuantinalClient]:
    """A client of the sandbox in process."""
    async with reaching(transport=sandbox.transport()) as client:
        yield client
