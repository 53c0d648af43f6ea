"""What a run of a tracker is expected to cost and to take, read before it is triggered and right before it is sent."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import anyio

from quantinal_mcp.client import QuantinalClient
from quantinal_mcp.errors import QuantinalError, RequestTimeout
from quantinal_mcp.models.runs import Run
from quantinal_mcp.models.trackers import Tracker
from quantinal_mcp.money.ceilings import check_agreed
from quantinal_mcp.money.cost import Config, Estimate, estimate
from quantinal_mcp.money.prices import prices
from quantinal_mcp.runs import durations
from quantinal_mcp.runs.reading import Runs

_FRESH_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Quote:
    """A tracker, what its run is expected to cost (in quants) and to take (in seconds), and the runs listed then."""

    tracker: Tracker
    config: Config
    expected: Estimate
    typical_seconds: float | None
    listed: tuple[Run, ...]
    listed_at: float


@contextmanager
def before_sending(deadline: float) -> Generator[None]:
    """Bound what is done before a trigger is sent by `deadline`, but not to less than a second.

    What goes wrong says that nothing was sent: its caller may fear that something was.

    Raises:
        RequestTimeout: It takes longer.
    """
    with anyio.CancelScope(deadline=max(deadline, anyio.current_time() + 1)) as reading:
        try:
            yield
        except QuantinalError as error:
            if "othing was sent" not in error.next_step:
                error.next_step = f"Nothing was sent. {error.next_step}".strip()
            raise
    if reading.cancelled_caught:
        raise RequestTimeout("The tracker could not be read in time.", "Nothing was sent; try again in a minute.")


async def quote(client: QuantinalClient, runs: Runs, tracker_id: str, reasoning_mode: str | None = None) -> Quote:
    """Read the tracker, the prices and the past runs, and estimate one run from them.

    Raises what reading the tracker or listing its runs raises: without that list a lost run could not be found.
    """
    tracker = await client.get_tracker(tracker_id)
    listed = tuple(await runs.all(tracker_id))
    listed_at = anyio.current_time()
    config = Config.of(tracker.get("agent_config"))
    if reasoning_mode is not None:
        config = config.with_mode(reasoning_mode)
    expected = estimate(config, await prices(client), listed)
    return Quote(tracker, config, expected, durations.typical(listed, config.reasoning_mode), listed, listed_at)


async def renewed(client: QuantinalClient, runs: Runs, before: Quote) -> Quote:
    """Return the quote as it is now: the tracker may have changed since, and runs may have begun.

    A list of the last second is taken for the present one. Raises as `quote` does.
    """
    tracker_id = before.tracker["tracker_id"]
    if anyio.current_time() - before.listed_at > _FRESH_SECONDS:
        return await quote(client, runs, tracker_id)
    tracker = await client.get_tracker(tracker_id)
    config = Config.of(tracker.get("agent_config"))
    if config == before.config:
        return replace(before, tracker=tracker)
    expected = estimate(config, await prices(client), before.listed)
    typical = durations.typical(before.listed, config.reasoning_mode)
    return replace(before, tracker=tracker, config=config, expected=expected, typical_seconds=typical)


async def still_agreed(client: QuantinalClient, runs: Runs, before: Quote) -> Quote:
    """Return the quote as it is now, for a trigger that the service did not take and that is to be sent once more.

    Raises:
        NeedsConsent: A run became dearer.
        RequestTimeout: It cannot be read, so nothing is sent.
    """
    try:
        now = await quote(client, runs, before.tracker["tracker_id"])
    except QuantinalError as error:
        raise RequestTimeout(error.message, "Nothing was sent; try again in a minute.", connected=False) from error
    check_agreed(now.expected, before.expected)
    return now
