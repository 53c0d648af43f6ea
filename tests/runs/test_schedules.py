"""When a schedule runs next, and when a change of it spends more: tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from quantinal_mcp.errors import InvalidRequest, NeedsConsent, OverBudget, QuantinalError
from quantinal_mcp.money.budget import Budget
from quantinal_mcp.money.ceilings import Ceilings
from quantinal_mcp.money.cost import Config, Estimate
from quantinal_mcp.money.schedules import ScheduledSpending, check_schedule, next_run, remarks, runs_more

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
PAST = "2026-11-01T09:00:00Z"
TOMORROW = "2026-11-26T09:00:00Z"


def every(minutes: float, start: str = PAST, end: str | None = None) -> dict[str, Any]:
    return {"start_time": start, "interval_minutes": minutes, "end_time": end}


def scheduled(schedule: dict[str, Any] | None, run_mode: str = "scheduled") -> dict[str, Any]:
    return {"run_mode": run_mode, "schedule": schedule}


@pytest.mark.parametrize(
    ("schedule", "coming"),
    [
        (every(1440), datetime(2026, 11, 26, 9, tzinfo=UTC)),
        (every(60), datetime(2026, 11, 25, 12, tzinfo=UTC)),
        (every(60, "2026-11-25T12:00:01Z"), datetime(2026, 11, 25, 12, 0, 1, tzinfo=UTC)),
        (every(1440, "2099-01-01T00:00:00Z"), datetime(2099, 1, 1, tzinfo=UTC)),
        (every(1440, end="2026-11-25T00:00:00Z"), None),
        (every(1440, end="2026-11-26T09:00:00Z"), None),
        (every(1440, end="2026-11-26T09:00:01Z"), datetime(2026, 11, 26, 9, tzinfo=UTC)),
        (every(44640, "2026-11-25T11:00:00+00:00"), datetime(2026, 12, 26, 11, tzinfo=UTC)),
        (every(0), None),
        ({"start_time": "soon", "interval_minutes": 60}, None),
        ({}, None),
        (None, None),
    ],
)
def test_the_next_run_is_counted_on_from_the_start_until_the_end(
    schedule: dict[str, Any] | None, coming: datetime | None
) -> None:
    assert next_run(schedule, NOW) == coming


@pytest.mark.parametrize(
    ("before", "after", "more"),
    [
        (scheduled(None, "manual"), scheduled(every(1440)), True),
        (scheduled(every(1440), "manual"), scheduled(every(1440)), True),
        (scheduled(every(1440)), scheduled(every(1440)), False),
        (scheduled(every(1440)), scheduled(every(60)), True),
        (scheduled(every(60)), scheduled(every(1440)), False),
        (scheduled(every(1440, end="2026-11-20T00:00:00Z")), scheduled(every(1440, end="2027-11-20T00:00:00Z")), True),
        (scheduled(every(1440, end="2026-11-20T00:00:00Z")), scheduled(every(1440)), True),
        (scheduled(every(1440, end="2026-12-20T00:00:00Z")), scheduled(every(1440)), True),
        (scheduled(every(1440, end="2026-12-20T00:00:00Z")), scheduled(every(1440, end="2027-01-01T00:00:00Z")), True),
        (scheduled(every(1440)), scheduled(every(1440, end="2026-12-20T00:00:00Z")), False),
        (scheduled(every(1440, "2099-01-01T00:00:00Z")), scheduled(every(1440, TOMORROW)), True),
        (scheduled(every(1440, TOMORROW)), scheduled(every(1440, "2099-01-01T00:00:00Z")), False),
        (scheduled(every(1440)), scheduled(every(1440, end="2026-11-20T00:00:00Z")), False),
        ({}, scheduled(every(1440, end="2026-11-20T00:00:00Z")), False),
    ],
)
def test_a_change_spends_more_if_it_starts_revives_hastens_or_prolongs_a_schedule(
    before: dict[str, Any], after: dict[str, Any], more: bool
) -> None:
    assert runs_more(before, after, NOW) is more


BASIC = Config(frozenset({"web"}), "basic", frozenset())
SUPER = Config(frozenset({"web"}), "super", frozenset())


def spending(quants: float | None, minutes: float, config: Config = BASIC, *, rises: bool = True) -> ScheduledSpending:
    return ScheduledSpending(Estimate(quants, quants, "formula"), config, minutes, NOW + timedelta(hours=1), rises)


def at_least(quants: float, minutes: float) -> ScheduledSpending:
    """One whose runs cost an unknown amount above that."""
    linked = Config(frozenset({"web"}), "super", frozenset({"trk_1"}))
    return ScheduledSpending(Estimate(None, quants, "unknown"), linked, minutes, NOW, rises=True)


@pytest.mark.parametrize(
    ("planned", "agreed", "asked", "cannot_ask"),
    [
        (spending(0.02, 1440), None, False, None),
        (spending(0.02, 60), None, True, NeedsConsent),
        (spending(0.02, 60), 0.48, True, None),
        (spending(0.02, 60), 0.4, NeedsConsent, NeedsConsent),
        (spending(0.36, 43200, SUPER), None, True, NeedsConsent),
        (spending(0.36, 43200, SUPER), 0.012, True, None),
        (spending(None, 1440, SUPER), None, True, NeedsConsent),
        (spending(None, 1440, SUPER), 1.0, True, None),
        (spending(None, 1440), None, False, None),
        (spending(None, 720), None, True, NeedsConsent),
        (spending(None, 720), 1.0, True, None),
        (at_least(0.3, 720), 0.6, True, None),
        (at_least(0.3, 720), 0.5, NeedsConsent, NeedsConsent),
        (spending(0.02, 60, rises=False), None, False, None),
    ],
)
def test_a_schedule_is_asked_for_where_one_run_or_a_day_is_dear(
    planned: ScheduledSpending, agreed: float | None, asked: Any, cannot_ask: type[QuantinalError] | None
) -> None:
    if isinstance(asked, bool):
        assert (planned.question("T", Ceilings(), agreed, can_ask=True) is not None) is asked
    else:
        with pytest.raises(asked, match="above max_quants_per_day"):
            planned.question("T", Ceilings(), agreed, can_ask=True)
    if cannot_ask is None:
        assert planned.question("T", Ceilings(), agreed, can_ask=False) is None
    else:
        with pytest.raises(cannot_ask, match=r"max_quants_per_day.*Nothing was sent\."):
            planned.question("T", Ceilings(), agreed, can_ask=False)


@pytest.mark.parametrize(
    ("planned", "ceilings", "agreed", "refused"),
    [
        (spending(0.36, 43200), Ceilings(per_run=0.3), None, True),
        (spending(0.36, 43200), Ceilings(per_run=0.36), None, False),
        (spending(0.02, 60), Ceilings(budget=Budget(0.47)), None, True),
        (spending(0.02, 60), Ceilings(budget=Budget(0.48)), None, False),
        (spending(0.36, 44640), Ceilings(budget=Budget(0.3)), None, True),
        (spending(0.02, 1440), Ceilings(budget=Budget(0.59, "month")), None, True),
        (spending(0.02, 1440), Ceilings(budget=Budget(0.61, "month")), None, False),
        (spending(None, 1440), Ceilings(budget=Budget(1)), None, True),
        (spending(None, 1440), Ceilings(budget=Budget(1)), 0.9, False),
        (spending(None, 1440), Ceilings(budget=Budget(1)), 1.1, True),
        (spending(None, 1440), Ceilings(per_run=5), 0.9, True),
        (at_least(0.3, 720), Ceilings(budget=Budget(0.6)), 0.6, False),
        (at_least(0.3, 720), Ceilings(budget=Budget(0.5)), 0.4, True),
        (at_least(0.3, 43200), Ceilings(budget=Budget(0.2)), 0.1, True),
    ],
)
def test_the_operators_ceilings_bind_schedules_too(
    planned: ScheduledSpending, ceilings: Ceilings, agreed: float | None, refused: bool
) -> None:
    if not refused:
        planned.question("T", ceilings, agreed, can_ask=True)
        return
    with pytest.raises(OverBudget, match=r"Nothing was sent\."):
        planned.question("T", ceilings, agreed, can_ask=True)


@pytest.mark.parametrize(
    ("minutes", "often"),
    [(1440, "once a day"), (60, "24 times a day"), (43200, "every 30 days"), (2880, "every 2 days")],
)
def test_a_question_says_how_often(minutes: float, often: str) -> None:
    asked = spending(9.0, minutes).question("T", Ceilings(), None, can_ask=True)
    assert asked is not None
    assert asked.startswith(f'Let tracker "T" run by itself {often}? A run costs about 9 quants')


@pytest.mark.parametrize(
    "schedule", [None, {}, {"start_time": PAST}, {"interval_minutes": 60}, every(60, TOMORROW, PAST)]
)
def test_a_schedule_that_could_not_be_is_refused(schedule: dict[str, Any] | None) -> None:
    with pytest.raises(InvalidRequest, match=r"Nothing was sent"):
        check_schedule(schedule, NOW)


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        (every(60, TOMORROW), None),
        (every(60), "lies in the past"),
        (every(1440, TOMORROW), "same UTC time"),
        (every(1440, end="2026-11-20T00:00:00Z"), "it is 2026-11-25T12:00:00Z now"),
    ],
)
def test_what_is_easily_overlooked_is_remarked_on(schedule: dict[str, Any], words: str | None) -> None:
    said = remarks(schedule, NOW)
    assert (said is None) if words is None else (said is not None and words in said)
