"""A journal that cannot be written for a while: what was sent is told, and written down without anybody's call."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeVar

import anyio
import pytest

from help.callers import EPOCH, connected, gather, memory_journal
from help.eras import Mode, both_eras
from help.seeded import TESLA, TOKEN, steer
from quantinal_mcp.errors import Misconfigured
from quantinal_mcp.journal.records import account_of
from quantinal_mcp.journal.scripts import Concern, Script
from quantinal_mcp.journal.sqlite import SqliteJournal
from quantinal_mcp.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio

Result = TypeVar("Result")


class Away(SqliteJournal):
    """One that is out of reach when a test says so."""

    is_away = False

    async def _write(self, script: Callable[[], Script[Result]], concern: Concern) -> Result:
        if self.is_away:
            raise Misconfigured("The journal is away.", "Call again.")
        return await super()._write(script, concern)


@both_eras
@pytest.mark.parametrize("minutes", [0.1, 5])
async def test_what_could_not_be_written_down_is_written_when_it_can_be(
    mode: Mode, minutes: float, caplog: pytest.LogCaptureFixture
) -> None:
    journal = Away(now=lambda: EPOCH + anyio.current_time())
    async with connected(Sandbox(sync_limit=60), mode, journal=journal) as caller:

        async def leave() -> None:
            await anyio.sleep(1)
            journal.is_away = True

        run: Any
        run, _ = await gather(lambda: caller.trigger(sync=True, context=steer(3)), leave)
        assert run["status"] == "completed"
        refused: Any = await caller.client.call_tool("trigger_run", {"tracker_id": TESLA, "again": True})
        assert refused.content[0].text.startswith("[misconfigured] The journal is away.")
        assert caller.posts == 1
        await anyio.sleep(60 * minutes)
        (kept,) = await journal.of(account_of(TOKEN), TESLA)
        assert kept.state == "sent"
        journal.is_away = False
        await anyio.sleep(31)
        (kept,) = await journal.of(account_of(TOKEN), TESLA)
        assert (kept.state, kept.run_id, kept.owner, kept.charged) == ("known", run["run_id"], None, 0.02)
        assert kept.answered_at is not None
        assert kept.settled_at is not None
    said = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert said
    assert all("could not be" in line for line in said)


async def test_what_another_process_took_for_lost_is_not_sent_again_after_a_refusal() -> None:
    sandbox, journal = Sandbox(), memory_journal()
    later = {"Retry-After": "3"}
    sandbox.faults.add(Fault("POST", r"/runs$", "status", code=429, headers=later, body='{"detail": "Too many"}'))
    async with connected(sandbox, journal=journal) as caller:

        async def take() -> None:
            await anyio.sleep(1)
            (sent,) = await journal.intents(None, 0)
            await journal.move(sent.intent_id, state="lost")

        async def trigger() -> None:
            result: Any = await caller.client.call_tool("trigger_run", {"tracker_id": TESLA})
            assert "Another process has taken this trigger over" in result.content[0].text

        await gather(trigger, take)
        assert caller.posts == 1
        assert await journal.of(account_of(TOKEN), TESLA) == []
