"""`quantinal-mcp ledger`: what was triggered, what it cost, and what is open."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from help.command import run, server
from help.journals import DAY, NOON, Clock, at, begun
from help.seeded import TESLA, TOKEN, UNUSED
from quantinal_mcp.journal.records import account_of
from quantinal_mcp.journal.sqlite import SqliteJournal
from quantinal_mcp.ledger import as_fields, gather
from quantinal_mcp.money.budget import Budget
from quantinal_mcp.sandbox import Sandbox

pytestmark = pytest.mark.anyio

OURS, THEIRS = account_of("qapi_ours"), account_of("qapi_theirs")


async def a_month_of(journal: SqliteJournal, clock: Clock) -> None:
    """Ours: yesterday's run, settled; today's three, of which one was refused; theirs: one."""
    clock.now = NOON - DAY
    first = await begun(journal, account=OURS, tracker_id=TESLA, reserved=0.02, estimated=0.02)
    await journal.claim(first, "run_1", "certain")
    await journal.settle(OURS, {"run_1": (0.03, True)})
    await journal.move(first, answered_at=clock.now, owner=None)
    clock.now = NOON - 7200
    refused = await begun(journal, account=OURS, tracker_id=TESLA)
    await journal.move(refused, state="refused", owner=None)
    second = await begun(journal, account=OURS, tracker_id=TESLA, reserved=0.02, estimated=0.02)
    await journal.claim(second, "run_2", "likely")
    clock.now = NOON - 60
    await begun(journal, account=OURS, tracker_id=UNUSED, reserved=0.6, estimated=None)
    await begun(journal, account=THEIRS, tracker_id="trk_theirs", reserved=0.1, estimated=0.1)
    clock.now = NOON


async def test_it_adds_up_by_day_and_tracker_and_tells_what_is_open_and_left(tmp_path: Path) -> None:
    clock = Clock()
    journal = at(tmp_path / "journal.db", clock)
    await a_month_of(journal, clock)
    fields = as_fields(await gather(journal, OURS, Budget(1, "month")))
    await journal.aclose()
    assert fields["today"] == {"triggered": 2, "expected_quants": 0.62, "charged_quants": 0, "unsettled": 2}
    assert fields["this_month"] == {"triggered": 3, "expected_quants": 0.64, "charged_quants": 0.03, "unsettled": 2}
    assert [(day["date"], [one["tracker_id"] for one in day["trackers"]]) for day in fields["days"]] == [
        ("2026-09-23", [TESLA, UNUSED]),
        ("2026-09-22", [TESLA]),
    ]
    (yesterday,) = fields["days"][1]["trackers"]
    assert yesterday == {
        "tracker_id": TESLA,
        "triggered": 1,
        "expected_quants": 0.02,
        "charged_quants": 0.03,
        "unsettled": 0,
        "runs": [
            {
                "account": OURS[:12],
                "run_id": "run_1",
                "match": "certain",
                "state": "known",
                "triggered_at": "2026-09-22T12:00:00Z",
                "expected_quants": 0.02,
                "charged_quants": 0.03,
                "is_settled": True,
            }
        ],
    }
    assert [(one["state"], one["run_id"], one["age_seconds"], one["is_worked_on"]) for one in fields["open"]] == [
        ("known", "run_2", 7200, True),
        ("sent", None, 60, True),
    ]
    assert fields["budget"] == "1/month"
    assert fields["budget_left"] == [
        {"account": OURS[:12], "left_quants": 0.35, "until": "2026-10-01T00:00:00Z"},
    ]


async def test_of_all_accounts_each_has_a_budget_of_its_own(tmp_path: Path) -> None:
    clock = Clock()
    journal = at(tmp_path / "journal.db", clock)
    await a_month_of(journal, clock)
    fields = as_fields(await gather(journal, None, Budget(1)))
    await journal.aclose()
    assert fields["account"] is None
    assert fields["today"]["triggered"] == 3
    left = {one["account"]: one["left_quants"] for one in fields["budget_left"]}
    assert left == {OURS[:12]: 0.38, THEIRS[:12]: 0.9}


def ledger(*arguments: str, **environ: str) -> Any:
    done = run("ledger", "--json", *arguments, environ=environ)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def test_where_there_is_no_journal_it_makes_none(tmp_path: Path) -> None:
    place = tmp_path / "nowhere" / "journal.db"
    fields = ledger(QUANTINAL_STATE=str(place))
    assert (fields["journal"], fields["days"], fields["open"]) == (str(place), [], [])
    shown = run("ledger", environ={"QUANTINAL_STATE": str(place)})
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "nothing was triggered" in shown.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("memory", [{"QUANTINAL_STATE": "memory"}, {"QUANTINAL_SANDBOX": "1"}])
def test_a_journal_in_memory_cannot_be_shown(memory: dict[str, str]) -> None:
    assert ledger(**memory)["journal"] is None
    assert "memory" in run("ledger", environ=memory).stdout


def test_a_journal_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    place = tmp_path / "journal.db"
    place.write_text("no database at all" * 100)
    done = run("ledger", environ={"QUANTINAL_STATE": str(place)})
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert str(place) in done.stderr


async def test_it_shows_what_a_server_has_triggered_while_that_serves_on() -> None:
    async with Sandbox().serve() as base_url:
        environ = {"QUANTINAL_BASE_URL": base_url, "QUANTINAL_API_TOKEN": TOKEN, "QUANTINAL_BUDGET_QUANTS": "5/day"}
        async with Client(server(**environ)) as client:
            answer = await client.call_tool("trigger_run", {"tracker_id": TESLA})
            triggered: Any = answer.structured_content
            fields = ledger(**environ)
            shown = run("ledger", environ=environ).stdout
            others = ledger(**{**environ, "QUANTINAL_API_TOKEN": "qapi_another"})
    (day,) = fields["days"]
    assert [one["run_id"] for one in day["trackers"][0]["runs"]] == [triggered["run_id"]]
    assert fields["budget_left"][0]["left_quants"] == 4.98
    assert TESLA in shown
    assert "budget of 5/day: 4.98 left" in shown
    assert TOKEN not in shown
    assert others["days"] == []
