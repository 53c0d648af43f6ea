"""What was triggered from here, what it was expected to cost and did, and what is still open: read from the journal."""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

import anyio
import click

from quantinal_mcp.backend import open_journal, own_token
from quantinal_mcp.errors import Misconfigured
from quantinal_mcp.journal.engine import Engine
from quantinal_mcp.journal.records import DAY_SECONDS, Intent, account_of
from quantinal_mcp.money.budget import Budget
from quantinal_mcp.money.cost import quants
from quantinal_mcp.runs.durations import spell
from quantinal_mcp.settings import Settings

_SHOWN_OF_ACCOUNT = 12
_WIDTH = 100

_STATES: Mapping[str, str] = {
    "sent": "sent, no answer yet",
    "lost": "its answer was lost; the next trigger_run there looks for its run",
    "known": "running or ended; the next trigger_run there tells it",
}


@dataclass(frozen=True, slots=True)
class Sum:
    """Some triggers together: `expected` and `charged` in quants, and of how many the charge is not known yet."""

    triggered: int
    expected: float
    charged: float
    unsettled: int

    @classmethod
    def of(cls, intents: Iterable[Intent]) -> Sum:
        """Add them up."""
        all_of_them = list(intents)
        return cls(
            len(all_of_them),
            round(sum(_expected(intent) for intent in all_of_them), 6),
            round(sum(intent.charged or 0.0 for intent in all_of_them), 6),
            sum(intent.settled_at is None for intent in all_of_them),
        )

    def fields(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "triggered": self.triggered,
            "expected_quants": self.expected,
            "charged_quants": self.charged,
            "unsettled": self.unsettled,
        }

    def cells(self) -> tuple[str, str, str]:
        """Return it as the table has it."""
        unknown = f" + {self.unsettled} unknown" if self.unsettled else ""
        return str(self.triggered), quants(self.expected), quants(self.charged) + unknown


@dataclass(frozen=True, slots=True)
class Left:
    """What an account's budget has left, and until when (UTC seconds since 1970)."""

    account: str
    left: float
    until: float


@dataclass(frozen=True, slots=True)
class Ledger:
    """The triggers of this month and the last day, oldest first, as they are `now` (UTC seconds since 1970).

    `place` is where they are kept, None in the memory of each server; `account` is whose they are, None for all.
    """

    place: str | None
    account: str | None
    now: float
    triggers: tuple[Intent, ...]
    left: tuple[Left, ...]
    budget: Budget | None

    @property
    def today(self) -> list[Intent]:
        """What was triggered since midnight, UTC."""
        return [intent for intent in self.triggers if _day(intent.begun_at) == _day(self.now)]

    @property
    def open(self) -> list[Intent]:
        """What nobody has learnt the run of, as long as a repeat would be answered with it."""
        return [one for one in self.triggers if one.is_open and self.now - one.begun_at < DAY_SECONDS]

    def by_day(self) -> list[tuple[str, dict[str, list[Intent]]]]:
        """Return the triggers by UTC day and tracker, the latest day first."""
        days: list[tuple[str, dict[str, list[Intent]]]] = []
        for day, intents in groupby(self.triggers, lambda intent: _day(intent.begun_at)):
            trackers: defaultdict[str, list[Intent]] = defaultdict(list)
            for intent in intents:
                trackers[intent.tracker_id].append(intent)
            days.append((day, dict(trackers)))
        return days[::-1]


def run(settings: Settings, *, as_json: bool) -> int:
    """Print the ledger, and return the exit status: 1 if the journal cannot be read."""
    try:
        ledger = anyio.run(read, settings)
    except Misconfigured as error:
        click.echo(f"Error: {error.message}", err=True)
        return 1
    if as_json:
        click.echo(json.dumps(as_fields(ledger), indent=2))
    else:
        _show(ledger)
    return 0


async def read(settings: Settings) -> Ledger:
    """Return the ledger of the configured account, or of all; where there is no journal yet, none is made.

    Raises:
        Misconfigured: There is one, and it cannot be used.
    """
    token = own_token(settings)
    account = account_of(token) if token is not None else None
    journal = open_journal(settings)
    try:
        if journal.shown is None or not await journal.exists():
            return Ledger(journal.shown, account, journal.now(), (), (), settings.budget_quants)
        return await gather(journal, account, settings.budget_quants)
    finally:
        await journal.aclose()


async def gather(journal: Engine, account: str | None, budget: Budget | None) -> Ledger:
    """Return what a journal holds of an account, or of all; raises what its methods raise."""
    now = journal.now()
    month = datetime.fromtimestamp(now, UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    kept = await journal.intents(account, min(month.timestamp(), now - DAY_SECONDS))
    triggers = tuple(intent for intent in kept if intent.state != "refused")
    left: list[Left] = []
    if budget is not None:
        allowance = budget.allowance(now)
        for each in [account] if account else sorted({intent.account for intent in triggers}):
            counted = await journal.committed(each, allowance)
            left.append(Left(each, round(max(0.0, allowance.limit - counted), 6), allowance.until))
    return Ledger(journal.shown, account, now, triggers, tuple(left), budget)


def as_fields(ledger: Ledger) -> dict[str, Any]:
    """Return the ledger as JSON has it: times in ISO 8601 and UTC, amounts in quants."""
    return {
        "journal": ledger.place,
        "account": _short(ledger.account) if ledger.account is not None else None,
        "now": _iso(ledger.now),
        "today": Sum.of(ledger.today).fields(),
        "this_month": Sum.of(_this_month(ledger)).fields(),
        "days": [
            {
                "date": day,
                "trackers": [
                    {"tracker_id": tracker_id, **Sum.of(intents).fields(), "runs": [_run(one) for one in intents]}
                    for tracker_id, intents in trackers.items()
                ],
            }
            for day, trackers in ledger.by_day()
        ],
        "open": [
            {
                "tracker_id": intent.tracker_id,
                **_run(intent),
                "age_seconds": round(max(0.0, ledger.now - intent.begun_at), 1),
                "is_worked_on": intent.owner is not None,
            }
            for intent in ledger.open
        ],
        "budget": str(ledger.budget) if ledger.budget is not None else None,
        "budget_left": [
            {"account": _short(one.account), "left_quants": one.left, "until": _iso(one.until)} for one in ledger.left
        ],
    }


def _run(intent: Intent) -> dict[str, Any]:
    return {
        "account": _short(intent.account),
        "run_id": intent.run_id,
        "match": intent.match if intent.run_id is not None else None,
        "state": intent.state,
        "triggered_at": _iso(intent.begun_at),
        "expected_quants": _expected(intent),
        "charged_quants": intent.charged,
        "is_settled": intent.settled_at is not None,
    }


def _show(ledger: Ledger) -> None:
    from rich.console import Console  # noqa: PLC0415 - JSON needs none of it
    from rich.table import Table  # noqa: PLC0415

    console = Console(width=None if sys.stdout.isatty() else _WIDTH, highlight=False, emoji=False, markup=False)
    console.print(_heading(ledger), soft_wrap=True)
    if not ledger.triggers:
        return
    table = Table("day (UTC)", "tracker", box=None, pad_edge=False)
    for name in ("triggered", "expected", "charged"):
        table.add_column(name, justify="right")
    for day, trackers in ledger.by_day():
        for tracker_id, intents in trackers.items():
            table.add_row(day, tracker_id, *Sum.of(intents).cells())
    table.add_section()
    table.add_row("today", "", *Sum.of(ledger.today).cells())
    table.add_row("this month", "", *Sum.of(_this_month(ledger)).cells())
    console.print(table)
    for left in ledger.left:
        whose = "" if ledger.account is not None else f" of account {_short(left.account)}"
        console.print(f"budget of {ledger.budget}{whose}: {quants(left.left)} left until {_iso(left.until)}")
    if ledger.open:
        console.print(_open_ones(ledger.open, ledger.now))


def _heading(ledger: Ledger) -> str:
    if ledger.place is None:
        return "The journal is in the memory of each server: nothing is kept that could be shown here."
    whose = "all accounts" if ledger.account is None else f"account {_short(ledger.account)}"
    nothing = "" if ledger.triggers else "; nothing was triggered this month"
    return f"Quants, {whose}, in {ledger.place}{nothing}."


def _open_ones(intents: Sequence[Intent], now: float) -> Any:
    from rich.table import Table  # noqa: PLC0415

    table = Table("open since", "tracker", "state", box=None, pad_edge=False)
    for intent in intents:
        age = spell(max(0.0, now - intent.begun_at))
        table.add_row(age, intent.tracker_id, _STATES[intent.state] + ("; in hand" if intent.owner else ""))
    return table


def _this_month(ledger: Ledger) -> list[Intent]:
    return [intent for intent in ledger.triggers if _day(intent.begun_at)[:7] == _day(ledger.now)[:7]]


def _expected(intent: Intent) -> float:
    return intent.estimated if intent.estimated is not None else intent.reserved


def _short(account: str) -> str:
    return account[:_SHOWN_OF_ACCOUNT]


def _day(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d}"


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
