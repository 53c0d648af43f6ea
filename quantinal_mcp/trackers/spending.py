"""Estimating what a tracker's schedule will spend, from prices and from what its runs were charged."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from quantinal_mcp.client import QuantinalClient
from quantinal_mcp.models.runs import Run
from quantinal_mcp.models.trackers import Tracker
from quantinal_mcp.money.cost import Config, estimate
from quantinal_mcp.money.prices import prices
from quantinal_mcp.money.schedules import ScheduledSpending, is_dearer, is_scheduled, next_run, runs_more
from quantinal_mcp.runs.reading import Runs


async def scheduled_spending(
    client: QuantinalClient, runs: Runs, before: Tracker | None, after: Mapping[str, Any], now: datetime
) -> ScheduledSpending | None:
    """Return what the schedule of `after` will spend; None where it does not run by itself.

    `after` is the whole tracker as it will be; `before` is None for one to be created.
    Raises what listing the tracker's runs raises.
    """
    if not is_scheduled(after):
        return None
    schedule: Mapping[str, Any] = after["schedule"]
    config = Config.of(after.get("agent_config"))
    costs = await prices(client)
    past: list[Run] = await runs.all(before["tracker_id"]) if before is not None else []
    expected = estimate(config, costs, past)
    rises = runs_more(before or {}, after, now)
    coming = next_run(schedule, now)
    if before is not None and coming is not None and not rises:
        old_config = Config.of(before.get("agent_config"))
        rises = is_dearer(expected, estimate(old_config, costs, past), config, old_config)
    return ScheduledSpending(expected, config, float(schedule["interval_minutes"]), coming, rises)
