"""What is in the journal's files, and who never opens them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from help.callers import Questions, connected, tracker_of
from help.journals import at, names_in
from help.seeded import CALLS, PORTFOLIO, TESLA
from quantinal_mcp.backend import journal_must_last
from quantinal_mcp.journal.records import account_of
from quantinal_mcp.journal.sqlite import SqliteJournal
from quantinal_mcp.money.budget import Budget
from quantinal_mcp.sandbox import Sandbox
from quantinal_mcp.server import OFFERS
from quantinal_mcp.settings import Settings

pytestmark = pytest.mark.anyio

SECRET = "qapi_thistokenisnotkept0123456789"


def bytes_below(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


async def test_it_holds_no_token_context_name_or_insight(tmp_path: Path) -> None:
    sandbox = Sandbox(tokens=(SECRET,), time_scale=1000)
    journal = SqliteJournal(lambda: tmp_path / "journal.db")
    context: Any = {"notes": "a context that nobody keeps", "sandbox": {"seconds": 0.1, "fail": False}}
    async with connected(sandbox, user=Questions(), token=SECRET, journal=journal) as caller:
        run = await caller.trigger(sync=True, context=context)
        assert await caller("trigger_run", tracker_id=PORTFOLIO, context=context)
        kept, names = bytes_below(tmp_path), " ".join(names_in(tmp_path))
        trackers = [tracker_of(sandbox, tracker_id) for tracker_id in (TESLA, PORTFOLIO)]
    insight = run["result"]["insight"]
    texts = [SECRET, SECRET.removeprefix("qapi_"), "nobody keeps", "notes", insight, insight[:20]]
    texts += [text for one in trackers for text in (one.settings["name"], one.agent_config["instruction"][:25])]
    for text in texts:
        assert text.encode() not in kept, text
        assert text not in names
    assert run["run_id"].encode() in kept
    assert account_of(SECRET).encode() in kept
    assert TESLA.encode() in kept


async def test_no_tool_that_reads_opens_it(tmp_path: Path) -> None:
    journal = at(tmp_path / "below" / "journal.db")
    readers = [offer.function.__name__ for offer in OFFERS if offer.reads]
    assert len(readers) > 10
    async with connected(Sandbox(), journal=journal) as caller:
        await caller.client.list_tools()
        await caller.client.list_resources()
        await caller.client.list_prompts()
        for name in readers:
            await caller(name, **CALLS[name])
        assert names_in(tmp_path) == set()
        await caller.trigger()
        assert "journal.db" in names_in(tmp_path)


@pytest.mark.patient
async def test_no_tool_that_reads_touches_another_processs(tmp_path: Path) -> None:
    path, sandbox = tmp_path / "journal.db", Sandbox(time_scale=1000)
    async with connected(sandbox, journal=at(path)) as caller:
        run = await caller.trigger()
    before, names = path.stat(), names_in(tmp_path)
    async with connected(sandbox, journal=at(path)) as caller:
        for offer in OFFERS:
            if offer.reads:
                await caller(offer.function.__name__, **CALLS[offer.function.__name__])
        await caller("wait_for_run", tracker_id=TESLA, run_id=run["run_id"])
        assert names_in(tmp_path) == names
    after = path.stat()
    assert (after.st_mtime_ns, after.st_atime_ns) == (before.st_mtime_ns, before.st_atime_ns)


@pytest.mark.parametrize(
    ("settings", "must_last"),
    [
        (Settings(), False),
        (Settings(state="memory"), False),
        (Settings(state="memory", budget_quants=Budget(5)), True),
        (Settings(budget_quants=Budget(5)), True),
        (Settings(budget_quants=Budget(5), sandbox=True), False),
        (Settings(state="/somewhere/journal.db", sandbox=True), True),
    ],
)
def test_it_has_to_last_where_a_file_was_asked_for_or_a_budget_rests_on_it(settings: Settings, must_last: bool) -> None:
    assert journal_must_last(settings) is must_last
