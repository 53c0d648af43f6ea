from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from help import journals
from help.journals import Clock
from help.postgres import Postgres, postgres
from quantinal_mcp.journal.engine import Engine
from quantinal_mcp.journal.postgres import PostgresJournal
from quantinal_mcp.journal.sqlite import SqliteJournal

Opened = Callable[[], Any]

POSTGRES = pytest.param("postgres", marks=pytest.mark.fleet)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def server() -> Generator[Postgres]:
    with postgres() as running:
        yield running


@pytest.fixture
def address(server: Postgres) -> str:
    return server.database()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture(params=["memory", "file", POSTGRES])
async def journal(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> AsyncGenerator[Engine]:
    """Each engine."""
    if request.param == "postgres":
        opened = PostgresJournal(request.getfixturevalue("server").database(), clock)
    else:
        opened = journals.memory(clock) if request.param == "memory" else journals.at(tmp_path / "journal.db", clock)
    yield opened
    await opened.aclose()


@pytest.fixture(params=["file", POSTGRES])
async def process(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> AsyncGenerator[Opened]:
    """Processes that share one journal: each call is another one."""
    address = request.getfixturevalue("server").database() if request.param == "postgres" else ""
    async with AsyncExitStack() as stack:

        def start() -> Engine:
            opened = PostgresJournal(address, clock) if address else journals.at(tmp_path / "journal.db", clock)
            stack.push_async_callback(opened.aclose)
            return opened

        yield start


@pytest.fixture
async def on_file(tmp_path: Path, clock: Clock) -> AsyncGenerator[Callable[[], SqliteJournal]]:
    """Processes that share one file."""
    async with AsyncExitStack() as stack:

        def start() -> SqliteJournal:
            opened = journals.at(tmp_path / "journal.db", clock)
            stack.push_async_callback(opened.aclose)
            return opened

        yield start
