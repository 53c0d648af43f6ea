"""Trackers: create, list, read, change and delete."""

from __future__ import annotations

from typing import Annotated

from mcp.server.mcpserver import Elicit, Resolve
from pydantic import Field

from quantinal_mcp.accounts.account import Account
from quantinal_mcp.client.pages import list_all_trackers
from quantinal_mcp.errors import InvalidRequest, OutcomeUnknown, QuantinalError
from quantinal_mcp.models.common import Object, Page, SpaceId, TrackerId
from quantinal_mcp.models.text import clean
from quantinal_mcp.models.trackers import (
    AgentConfig,
    NotificationConfig,
    RunMode,
    Schedule,
    Tracker,
)
from quantinal_mcp.money.schedules import ScheduleCost, Spending, as_sent, check_order, spending
from quantinal_mcp.protocol.arguments import Detail, PageNumber, PageSize
from quantinal_mcp.protocol.caller import AppContext, Caller, app_of, can_ask
from quantinal_mcp.protocol.next_steps import more_pages
from quantinal_mcp.protocol.offers import CREATES, READS, Offer, without_nulls
from quantinal_mcp.protocol.questions import Answer, Confirm, NotAsked, require_yes

Name = Annotated[str, Field(min_length=1, max_length=50)]
Description = Annotated[str, Field(min_length=1, max_length=500)]
SharedVault = Annotated[TrackerId, Field(description="use that tracker's vault")]
TimeToLive = Annotated[int, Field(ge=1, le=365, description="own vault's data expires")]

_SHORT_INSTRUCTION = 160


def question_about(ctx: AppContext, planned: Spending | None, name: str) -> NotAsked | Elicit[Confirm]:
    """Ask before a schedule spends more than the threshold a day, where the client can ask."""
    threshold = app_of(ctx).settings.confirm_above_quants
    if planned is None or not planned.is_to_be_asked(threshold) or not can_ask(ctx):
        return NotAsked()
    return Elicit(planned.question(name), Confirm)


class TrackerAnswer(Tracker, total=False):
    """A tracker, what its schedule will spend, and what to do next."""

    schedule_cost: ScheduleCost | None
    note: str | None
    next_step: str


class TrackerList(Page[Tracker], total=False):
    """One page of trackers."""

    next_step: str


async def create_spending(
    caller: Caller, run_mode: RunMode, agent_config: AgentConfig, schedule: Schedule | None
) -> Spending | None:
    """What the schedule of the new tracker will spend."""
    _check_schedule(run_mode, schedule)
    after = {"run_mode": run_mode, "agent_config": agent_config, "schedule": schedule}
    return await spending(caller.client, None, after, caller.ceilings)


async def ask_create(
    ctx: AppContext, planned: Annotated[Spending | None, Resolve(create_spending)], name: str
) -> NotAsked | Elicit[Confirm]:
    """Ask before a new schedule spends more than the threshold a day."""
    return question_about(ctx, planned, name)


async def create_tracker(
    ctx: AppContext,
    caller: Caller,
    planned: Annotated[Spending | None, Resolve(create_spending)],
    answer: Annotated[Answer, Resolve(ask_create)],
    space_id: SpaceId,
    name: Name,
    description: Description,
    run_mode: RunMode,
    agent_config: AgentConfig,
    schedule: Schedule | None = None,
    notification_config: NotificationConfig | None = None,
    shared_vault_tracker_id: SharedVault | None = None,
    vault_ttl_days: TimeToLive | None = None,
) -> TrackerAnswer:
    """Create a tracker with its own vault. Costs nothing until it runs; a schedule spends by itself.
    run_mode=scheduled needs schedule."""
    await require_yes(ctx, caller, answer)
    body = without_nulls(
        {
            "name": name,
            "description": description,
            "run_mode": run_mode,
            "agent_config": dict(agent_config),
            "schedule": as_sent(schedule),
            "notification_config": notification_config,
            "shared_vault_tracker_id": shared_vault_tracker_id,
            "vault_ttl_days": vault_ttl_days,
        }
    )
    try:
        tracker, note = await caller.client.create_tracker(space_id, body), None
    except OutcomeUnknown as lost:
        tracker, note = await _find_created(caller, space_id, body, lost)
    return {
        **tracker,
        "schedule_cost": planned.described() if planned else None,
        "note": note,
        "next_step": f"estimate_run_cost(tracker_id={tracker['tracker_id']}), then trigger_run",
    }


async def _find_created(account: Account, space_id: str, body: Object, lost: OutcomeUnknown) -> tuple[Tracker, str]:
    """A create whose answer was lost is looked for; the only tracker of its name and instruction is it."""
    try:
        listed = await list_all_trackers(account.client, space_id)
    except QuantinalError:
        listed = []
    like_it = [tracker for tracker in listed if _is_like(tracker, clean(body))]
    if len(like_it) == 1:
        return like_it[0], "The answer was lost; this is the tracker like it which the space lists."
    seen = f"{len(like_it)} trackers like it are listed" if listed else "the space's trackers could not be listed"
    raise OutcomeUnknown(
        f"The request was sent once and its answer was lost; {seen}.",
        f"Look with list_trackers(space_id={space_id}) before creating it again, which could create it twice.",
        lost=lost.lost,
    )


def _is_like(tracker: Tracker, body: Object) -> bool:
    config = tracker.get("agent_config") or {}
    return (tracker.get("name"), tracker.get("description"), config.get("instruction")) == (
        body["name"],
        body["description"],
        body["agent_config"]["instruction"],
    )


async def list_trackers(
    caller: Caller, space_id: SpaceId, page: PageNumber = 1, page_size: PageSize = 20, detail: Detail = "summary"
) -> TrackerList:
    """List a space's trackers, e.g. to find a tracker_id by name. Summary cuts long instructions."""
    listed = await caller.client.list_trackers(space_id, page, page_size)
    if detail == "summary":
        listed["data"] = [_shortened(tracker) for tracker in listed["data"]]
    return {**listed, "next_step": more_pages(listed) or "trigger_run or list_runs with one of these tracker_ids"}


async def get_tracker(caller: Caller, tracker_id: TrackerId) -> TrackerAnswer:
    """Get a tracker's full configuration and status."""
    return {**await caller.client.get_tracker(tracker_id), "next_step": f"list_runs(tracker_id={tracker_id})"}


def _check_schedule(run_mode: RunMode, schedule: Schedule | None) -> None:
    if run_mode == "scheduled" and schedule is None:
        raise InvalidRequest("run_mode=scheduled needs a schedule.", "Nothing was sent; give schedule.")
    if schedule is not None:
        check_order(schedule)


def _shortened(tracker: Tracker) -> Tracker:
    config = tracker.get("agent_config")
    instruction = (config or {}).get("instruction") or ""
    if config is None or len(instruction) <= _SHORT_INSTRUCTION:
        return tracker
    short = instruction[: _SHORT_INSTRUCTION - 1].rstrip() + "…"
    return {**tracker, "agent_config": {**config, "instruction": short}}


TOOLS = (
    Offer(create_tracker, "Create tracker", "trackers", CREATES),
    Offer(list_trackers, "List trackers", "trackers", READS),
    Offer(get_tracker, "Get tracker", "trackers", READS),
)
