"""Trackers: create, list, read, change and delete."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, cast

from mcp.server.mcpserver import Elicit, Resolve
from pydantic import Field

from quantinal_mcp.accounts.account import Account
from quantinal_mcp.errors import InvalidRequest
from quantinal_mcp.models.common import Object, Page, SpaceId, TrackerId, iso_utc
from quantinal_mcp.models.trackers import AgentConfig, NewTracker, NotificationConfig, RunMode, Schedule, Tracker
from quantinal_mcp.money.schedules import ScheduleCost, ScheduledSpending, as_sent, check_schedule, remarks
from quantinal_mcp.protocol.arguments import Detail, MaxQuantsPerDay, PageNumber, PageSize
from quantinal_mcp.protocol.caller import AppContext, Caller
from quantinal_mcp.protocol.next_steps import more_pages
from quantinal_mcp.protocol.offers import CREATES, READS, Offer, without_nulls
from quantinal_mcp.protocol.questions import Answer, Confirm, NotAsked, ask, require_yes
from quantinal_mcp.trackers.creating import create
from quantinal_mcp.trackers.skills import check_skills
from quantinal_mcp.trackers.spending import scheduled_spending

Name = Annotated[str, Field(min_length=1, max_length=50)]
Description = Annotated[str, Field(min_length=1, max_length=500)]
SharedVault = Annotated[TrackerId, Field(description="use that tracker's vault")]
TimeToLive = Annotated[int, Field(ge=1, le=365, description="own vault's data expires")]

_SHORT_INSTRUCTION = 160


class TrackerAnswer(Tracker, total=False):
    """A tracker, what its schedule will spend, and what to do next."""

    schedule_cost: ScheduleCost | None
    next_run_at: str | None
    note: str | None
    next_step: str


@dataclass(frozen=True, slots=True)
class Creation:
    """What is to be created, and what its schedule will spend."""

    body: NewTracker
    spending: ScheduledSpending | None


class TrackerList(Page[Tracker], total=False):
    """One page of trackers."""

    next_step: str


async def plan_creation(
    caller: Caller,
    name: str,
    description: str,
    agent_config: AgentConfig,
    run_mode: RunMode | None,
    schedule: Schedule | None,
    notification_config: NotificationConfig | None,
    shared_vault_tracker_id: str | None,
    vault_ttl_days: int | None,
) -> Creation:
    """Complete what is to be created, and see what its schedule will spend."""
    if run_mode == "manual" and schedule is not None:
        raise InvalidRequest(
            "run_mode=manual and a schedule contradict each other.", "Nothing was sent; leave out one of them."
        )
    mode: RunMode = run_mode or ("manual" if schedule is None else "scheduled")
    if mode == "scheduled":
        check_schedule(as_sent(schedule), caller.now())
    await check_skills(caller.client, agent_config.get("skills"))
    body: NewTracker = without_nulls(
        {
            "name": name,
            "description": description,
            "run_mode": mode,
            "agent_config": dict(agent_config),
            "schedule": as_sent(schedule),
            "notification_config": notification_config,
            "shared_vault_tracker_id": shared_vault_tracker_id,
            "vault_ttl_days": vault_ttl_days,
        }
    )
    now = caller.now()
    return Creation(body, await scheduled_spending(caller.client, caller.runs, None, body, now))


async def ask_create(
    ctx: AppContext,
    caller: Caller,
    planned: Annotated[Creation, Resolve(plan_creation)],
    max_quants_per_day: float | None,
) -> NotAsked | Confirm | Elicit[Confirm]:
    """Ask before a new schedule spends more than the threshold, by a run or by a day."""
    return await ask(ctx, schedule_question(caller, planned.spending, planned.body["name"], max_quants_per_day))


def schedule_question(
    caller: Account, spending: ScheduledSpending | None, name: str, max_quants_per_day: float | None
) -> Callable[[bool], str | None]:
    """Return what `ask` needs to know of a schedule's spending."""

    def question(can_ask: bool) -> str | None:
        if spending is None:
            return None
        return spending.question(name, caller.ceilings, max_quants_per_day, can_ask=can_ask)

    return question


async def create_tracker(
    ctx: AppContext,
    caller: Caller,
    planned: Annotated[Creation, Resolve(plan_creation)],
    answer: Annotated[Answer, Resolve(ask_create)],
    space_id: SpaceId,
    name: Name,  # noqa: ARG001 - this and the following are read by plan_creation
    description: Description,  # noqa: ARG001
    agent_config: AgentConfig,  # noqa: ARG001
    run_mode: RunMode | None = None,  # noqa: ARG001
    schedule: Schedule | None = None,
    notification_config: NotificationConfig | None = None,  # noqa: ARG001
    shared_vault_tracker_id: SharedVault | None = None,  # noqa: ARG001
    vault_ttl_days: TimeToLive | None = None,  # noqa: ARG001
    max_quants_per_day: MaxQuantsPerDay | None = None,  # noqa: ARG001 - read by ask_create
) -> TrackerAnswer:
    """Create a tracker with its own vault. Costs nothing until it runs; a schedule spends by itself, and makes
    run_mode scheduled."""
    await require_yes(ctx, caller, answer)
    tracker, note = await create(caller.client, space_id, planned.body)
    tracker_id = tracker["tracker_id"]
    notes = [note, remarks(as_sent(schedule), caller.now()) if schedule is not None else None]
    step = "get_tracker" if planned.spending else "estimate_run_cost"
    return {
        **tracker,
        **scheduled(planned.spending),
        "note": " ".join(filter(None, notes)) or None,
        "next_step": f"{step}(tracker_id={tracker_id})",
    }


def scheduled(spending: ScheduledSpending | None) -> TrackerAnswer:
    """Return what an answer says of a schedule."""
    if spending is None:
        return {}  # pyright: ignore[reportReturnType] - part of an answer
    coming = spending.next_run_at
    return {  # pyright: ignore[reportReturnType]
        "schedule_cost": spending.described(),
        "next_run_at": iso_utc(coming) if coming else None,
    }


async def list_trackers(
    caller: Caller, space_id: SpaceId, page: PageNumber = 1, page_size: PageSize = 20, detail: Detail = "summary"
) -> TrackerList:
    """List a space's trackers with their configuration. Summary cuts long instructions."""
    listed = await caller.client.list_trackers(space_id, page, page_size)
    if detail == "summary":
        listed["data"] = [_shortened(tracker) for tracker in listed["data"]]
    step = f"get_overview(space_id={space_id}) says where each stands"
    if not listed["data"]:
        step = f"create_tracker(space_id={space_id}, …) makes one"
    return {**listed, "next_step": more_pages(listed) or step}


async def get_tracker(caller: Caller, tracker_id: TrackerId) -> TrackerAnswer:
    """Get a tracker's full configuration and status."""
    return {**await caller.client.get_tracker(tracker_id), "next_step": f"list_runs(tracker_id={tracker_id})"}


def _shortened(tracker: Tracker) -> Tracker:
    """Return a tracker of a list without what all of it shares or nobody asks for, and with one time: its last run."""
    kept: Tracker = {**tracker}
    for name in ("space_id", "category", "visibility", "created_at", "updated_at"):
        cast("Object", kept).pop(name, None)
    config = kept.get("agent_config")
    instruction = (config or {}).get("instruction") or ""
    if config is not None and len(instruction) > _SHORT_INSTRUCTION:
        short = instruction[: _SHORT_INSTRUCTION - 1].rstrip() + "…"
        kept["agent_config"] = {**config, "instruction": short}
    return kept


TOOLS = (
    Offer(create_tracker, "Create tracker", "trackers", CREATES, "new monitor watch track schedule"),
    Offer(list_trackers, "List trackers", "trackers", READS, "monitors configuration browse"),
    Offer(get_tracker, "Get tracker", "trackers", READS, "monitor settings instruction schedule"),
)
