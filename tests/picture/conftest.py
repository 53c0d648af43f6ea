from __future__ import annotations

import os
from collections.abc import AsyncGenerator

import pytest
from mcp import Client
from mcp_types import TextResourceContents

from help.callers import client_of
from help.seeded import START
from help.stage import Stage, bridge_and_axe, chromium, raised
from quantinal_mcp.sandbox import Sandbox

collect_ignore_glob = ["test_picture_*.py"] if os.name == "nt" else []
"""The environments of others are laid out as on Unix."""


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
async def theatre() -> AsyncGenerator[Stage]:
    """A host with a frame for the page as a server gives it."""
    async with client_of(Sandbox()) as client:
        [page] = (await client.read_resource("ui://quantinal/scores.html")).contents
    assert isinstance(page, TextResourceContents)
    assert page.meta
    async with chromium() as browser, raised(browser, page.text, page.meta["ui"]["csp"], bridge_and_axe()) as stage:
        yield stage


@pytest.fixture
async def stage(theatre: Stage) -> AsyncGenerator[Stage]:
    """The host for one test; at its end, nobody may have complained."""
    stage = theatre
    stage.called.clear()
    stage.answer = None
    yield stage
    await stage.page.emulate_media(color_scheme="light", reduced_motion="no-preference")
    complaints = stage.complaints.copy()
    stage.complaints.clear()
    assert complaints == []


@pytest.fixture
async def client() -> AsyncGenerator[Client]:
    """A client of a server on a sandbox."""
    async with client_of(Sandbox(start=START)) as connected:
        yield connected
