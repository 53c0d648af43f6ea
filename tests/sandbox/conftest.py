"""What the tests of the sandbox share: it is met over HTTP, or in process under virtual time."""

from collections.abc import AsyncGenerator

import httpx
import pytest

from help.seeded import START, TOKEN
from quantinal_mcp.sandbox import Sandbox


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
