"""What the tests of the sandbox share: it is met over HTTP, or in process under virtual time."""

from collections.abc import AsyncGenerator
from typing import Any

import httpx
import pytest
from sandbox_help import START, TOKEN
from trio.testing import MockClock

from quantinal_mcp.sandbox import Sandbox


@pytest.fixture
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """asyncio, unless a test asks for `trio_virtual`: trio, on which sleeping takes no time."""
    if getattr(request, "param", "asyncio") == "trio_virtual":
        return ("trio", {"clock": MockClock(autojump_threshold=0)})
    return "asyncio"


@pytest.fixture
def sandbox() -> Sandbox:
    return Sandbox(start=START)


@pytest.fixture
async def api(sandbox: Sandbox) -> AsyncGenerator[httpx.AsyncClient]:
    """A client of the sandbox over a real socket."""
    async with (
        sandbox.serve() as base_url,
        httpx.AsyncClient(base_url=base_url, headers={"Authorization": f"Bearer {TOKEN}"}) as client,
    ):
        yield client
