"""Trackers: change and delete, after asking where money or data is at stake."""

from __future__ import annotations

from typing import Annotated

from mcp.server.mcpserver import Elicit, Resolve
from pydantic import Field

from quantinal_mcp.errors import NeedsConsent, Rejected
from quantinal_mcp.models.common import Deleted, TrackerId
from quantinal_mcp.models.text import on_one_line
from quantinal_mcp.models.trackers import (
    AgentConfigChange,
    NotificationConfig,
    RunMode,
    ScheduleChange,
    Tracker,
    TrackerChange,
)
from quantinal_mcp.money.schedules import as_sent, remarks
from quantinal_mcp.protocol.arguments import MaxQuantsPerDay
from quantinal_mcp.protocol.caller import AppContext, Caller, app_of, nulls_in, refuse_empties
from quantinal_mcp.protocol.offers import DELETES, OVERWRITES, Offer, without_nulls
from quantinal_mcp.protocol.questions import (
    Answer,
    Confirm,
    NotAsked,
    ask,
    check_name,
    check_yes,
    could_ask,
    delete_question,
    require_yes,
)
from quantinal_mcp.tools.trackers import Description, Name, SharedVault, TrackerAnswer, schedule_question, scheduled
from quantinal_mcp.trackers.changing import Change, Clearable, change, check_given, explained, what_changed
from quantinal_mcp.trackers.deleting import what_goes


async def changes_given(
    ctx: AppContext,
    tracker_id: str,
    name: str | None,
    description: str | None,
    run_mode: RunMode | None,
    agent_config: AgentConfigChange | None,
    schedule: ScheduleChange | None,
    notification_config: NotificationConfig | None,
    shared_vault_tracker_id: str | None,
    clear_fields: list[Clearable] | None,
) -> TrackerChange:
    """Return what the call changes, as it was given."""
    given: TrackerChange = without_nulls(
        {
            "name": name,
            "description": description,
            "run_mode": run_mode,
            "agent_config": agent_config,
            "schedule": as_sent(schedule),
            "notification_config": notification_config,
            "shared_vault_tracker_id": shared_vault_tracker_id,
        }
    )
    if not given and not clear_fields:
        refuse_empties(ctx)
    check_given(given, tracker_id, frozenset(clear_fields or ()), _null_note(nulls_in(ctx)))
    return given


async def plan_change(
    caller: Caller,
    given: Annotated[TrackerChange, Resolve(changes_given)],
    tracker_id: str,
    clear_fields: list[Clearable] | None,
) -> Change:
    """Complete the update from the tracker as it is, and see what its schedule will spend."""
    cleared = frozenset(clear_fields or ())
    return await change(caller.client, caller.runs, tracker_id, given, cleared, caller.now())


async def ask_change(
    ctx: AppContext,
    caller: Caller,
    planned: Annotated[Change, Resolve(plan_change)],
    tracker_id: str,
    max_quants_per_day: float | None,
) -> NotAsked | Confirm | Elicit[Confirm]:
    """Ask before a schedule starts to spend more than the threshold, by a run or by a day."""
    name = (planned.before or {}).get("name") or tracker_id
    return await ask(ctx, schedule_question(caller, planned.spending, name, max_quants_per_day))


async def update_tracker(
    ctx: AppContext,
    caller: Caller,
    given: Annotated[TrackerChange, Resolve(changes_given)],
    planned: Annotated[Change, Resolve(plan_change)],
    answer: Annotated[Answer, Resolve(ask_change)],
    tracker_id: TrackerId,
    name: Name | None = None,  # noqa: ARG001 - this and the following are read by changes_given
    description: Description | None = None,  # noqa: ARG001
    run_mode: RunMode | None = None,  # noqa: ARG001
    agent_config: AgentConfigChange | None = None,  # noqa: ARG001
    schedule: ScheduleChange | None = None,
    notification_config: NotificationConfig | None = None,  # noqa: ARG001
    shared_vault_tracker_id: SharedVault | None = None,  # noqa: ARG001
    clear_fields: list[Clearable] | None = None,
    max_quants_per_day: MaxQuantsPerDay | None = None,
) -> TrackerAnswer:
    """Change a tracker; give only what changes. agent_config, notification_config and schedule may be partial; a
    schedule makes run_mode scheduled. clear_fields: schedule (with run_mode=manual), schedule.end_time,
    shared_vault_tracker_id (back to its own vault)."""
    is_agreed = check_yes(answer)
    await require_yes(ctx, caller, answer)
    async with caller.journal.exclusive(caller.id, tracker_id):
        if planned.before is not None:
            # It may have changed since: what is partial is completed from the tracker as it is now.
            latest = await plan_change(caller, given, tracker_id, clear_fields)
            question = schedule_question(caller, latest.spending, "", max_quants_per_day)
            needs_a_yes = question(could_ask(answer)) is not None
            if needs_a_yes and not (is_agreed and latest.spending and latest.spending.costs_as(planned.spending)):
                raise NeedsConsent(
                    "The tracker changed meanwhile, and with it what its schedule will spend.",
                    "Nothing was sent; call again.",
                )
            planned = latest
        try:
            tracker = await caller.client.update_tracker(tracker_id, planned.body)
        except Rejected as error:
            raise explained(error, given, planned.body) from None
    notes = [_null_note(nulls_in(ctx))]
    if schedule is not None and planned.spending is not None:
        notes.append(remarks(planned.body.get("schedule"), caller.now()))
    return {
        **what_changed(tracker, planned.body),
        **scheduled(planned.spending),
        "note": " ".join(filter(None, notes)) or None,
    }


class DeletedTracker(Deleted, total=False):
    """What is gone."""

    gone: str


async def leaving_tracker(caller: Caller, tracker_id: str) -> Tracker:
    """Read what goes, to say so before and after."""
    return await caller.client.get_tracker(tracker_id)


async def ask_delete(
    ctx: AppContext,
    caller: Caller,
    leaving: Annotated[Tracker, Resolve(leaving_tracker)],
    confirm_name: str | None,
) -> NotAsked | Confirm | Elicit[Confirm]:
    """Ask before a tracker goes, and say what goes with it.

    Raises:
        Conflict: Others share its vault.
        NeedsConsent: The client cannot ask, and the call does not carry the tracker's exact name.
    """
    check_name(confirm_name, _name(leaving), "tracker")
    if not app_of(ctx).settings.confirm_deletes:
        return NotAsked()
    goes = await what_goes(caller.client, caller.runs, leaving)
    deleted = f'tracker "{on_one_line(_name(leaving))}" with {goes}'
    return await ask(ctx, lambda can_ask: delete_question(deleted, confirm_name, can_ask=can_ask))


async def delete_tracker(
    ctx: AppContext,
    caller: Caller,
    leaving: Annotated[Tracker, Resolve(leaving_tracker)],
    answer: Annotated[Answer, Resolve(ask_delete)],
    tracker_id: TrackerId,
    confirm_name: Annotated[str, Field(description="the tracker's exact name")] | None = None,  # noqa: ARG001 - read by ask_delete
) -> DeletedTracker:
    """Delete a tracker with its schedules, runs and results, for ever. The user confirms: asked by the client,
    or by confirm_name where it cannot ask."""
    await require_yes(ctx, caller, answer)
    gone = f'tracker "{on_one_line(_name(leaving))}" with its schedule, vault, runs and results'
    return {**await caller.client.delete_tracker(tracker_id), "gone": gone}


def _name(tracker: Tracker) -> str:
    return tracker.get("name") or tracker["tracker_id"]


def _null_note(nulls: frozenset[str]) -> str | None:
    clearable = sorted(nulls & {"schedule", "shared_vault_tracker_id"})
    if not clearable:
        return None
    listed = ", ".join(f'"{name}"' for name in clearable)
    stopped = " and run_mode=manual" if "schedule" in clearable else ""
    return f"null counts as not given; to clear, call update_tracker with clear_fields=[{listed}]{stopped}."


TOOLS = (
    Offer(
        update_tracker,
        "Update tracker",
        "trackers",
        OVERWRITES,
        "edit change reschedule hourly daily pause rename threshold",
    ),
    Offer(delete_tracker, "Delete tracker", "trackers", DELETES, "remove monitor"),
)
