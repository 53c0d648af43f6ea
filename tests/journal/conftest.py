from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from help import journals
from help.journals import Clock
from quantinal_mcp.journal.sqlite import SqliteJournal

Opened = Callable[[], SqliteJournal]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory", "file"])
async def journal(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> AsyncGenerator[SqliteJournal]:
    """Each engine."""
    opened = journals.memory(clock) if request.param == "memory" else journals.at(tmp_path / "journal.db", clock)
    yield opened
    await opened.aclose()


@pytest.fixture
async def process(tmp_path: Path, clock: Clock) -> AsyncGenerator[Opened]:
    """Processes that share one file: each call is another one."""
    async with AsyncExitStack() as stack:

        def start() -> SqliteJournal:
            opened = journals.at(tmp_path / "journal.db", clock)
            stack.push_async_callback(opened.aclose)
            return opened

        yield start
