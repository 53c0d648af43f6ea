"""The operator's budget: so many quants per calendar day, week or month, in UTC."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, get_args

from quantinal_mcp.journal.records import Allowance

Period = Literal["day", "week", "month"]


@dataclass(frozen=True, slots=True)
class Budget:
    """A ceiling per account: `limit` quants for each `period`; weeks begin on Monday."""

    limit: float
    period: Period = "day"

    def __str__(self) -> str:
        return f"{self.limit:g}/{self.period}"

    def allowance(self, now: float) -> Allowance:
        """Return the ceiling of the period in which `now` lies (UTC seconds since 1970)."""
        day = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        if self.period == "month":
            since = day.replace(day=1)
            until = (since + timedelta(days=32)).replace(day=1)
        else:
            since = day - timedelta(days=day.weekday() if self.period == "week" else 0)
            until = since + timedelta(days=7 if self.period == "week" else 1)
        return Allowance(self.limit, since.timestamp(), until.timestamp())

    @property
    def days(self) -> float:
        """How many days its period has; of a month, thirty."""
        return {"day": 1.0, "week": 7.0, "month": 30.0}[self.period]


def parse_budget(text: str) -> Budget:
    """Read `5/day`, `20/week` or `50/month`; a bare number is per day.

    Raises:
        ValueError: It is none of these.
    """
    number, _, period = text.strip().lower().partition("/")
    try:
        limit = float(number)
    except ValueError:
        limit = math.nan
    period = period.strip() or "day"
    if not (math.isfinite(limit) and limit >= 0) or period not in get_args(Period):
        raise ValueError("expected an amount per period like 5/day, 20/week or 50/month")
    return Budget(limit, period)  # pyright: ignore[reportArgumentType]
