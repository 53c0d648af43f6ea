"""Trackers: change and delete, after asking where money or data is at stake."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, cast

from mcp.server.mcpserver import Elicit, Resolve
from pydantic import Field

from quantinal_mcp.client.pages import list_all_trackers
from quantinal_mcp.errors import InvalidRequest, NeedsConsent, Rejected
from quantinal_mcp.models.common import Deleted, Object, TrackerId
from quantinal_mcp.models.text import on_one_line
from quantinal_mcp.models.trackers import AgentConfigChange, NotificationConfig, RunMode, Schedule, Tracker
from quantinal_mcp.money.schedules import Spending, as_sent, check_order, spending
from quantinal_mcp.protocol.caller import AppContext, Caller, app_of, can_ask, nulls_in
from quantinal_mcp.protocol.offers import DELETES, OVERWRITES, Offer, without_nulls
from quantinal_mcp.protocol.questions import Answer, Confirm, NotAsked, require_yes
from quantinal_mcp.tools.trackers import Description, Name, SharedVault, TrackerAnswer, question_about

Clearable = Literal["schedule", "shared_vault_tracker_id"]


@dataclass(frozen=True, slots=True)
class Change:
    """A tracker as it is and as an update will leave it; `before` is None where it was not needed."""

    body: Object
    before: Tracker | None
    spending: Spending | None


async def plan_change(
    ctx: AppContext,
    caller: Caller,
    tracker_id: str,
    name: str | None,
    description: str | None,
    run_mode: RunMode | None,
    agent_config: AgentConfigChange | None,
    schedule: Schedule | None,
    notification_config: NotificationConfig | None,
    shared_vault_tracker_id: str | None,
    clear_fields: list[Clearable] | None,
) -> Change:
    """Complete the update from the tracker as it is, and see what its schedule will spend."""
    given: Object = without_nulls(
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
    cleared = frozenset(clear_fields or ())
    both = sorted(cleared & given.keys())
    if both:
        raise InvalidRequest(f"{both[0]} is both given and in clear_fields.", "Nothing was sent; choose one.")
    if not given and not cleared:
        raise InvalidRequest(
            "Nothing to change was given.", _null_note(nulls_in(ctx)) or "Nothing was sent; give a field to change."
        )
    if schedule is not None:
        check_order(schedule)
    body = given | dict.fromkeys(cleared)
    if not body.keys() & {"run_mode", "schedule", "agent_config", "notification_config"}:
        return Change(body, None, None)
    before = await caller.client.get_tracker(tracker_id)
    for merged in ("agent_config", "notification_config"):
        if merged in given:
            body[merged] = {**(cast("Object", before).get(merged) or {}), **given[merged]}
    after: Object = {**before, **body}
    if after.get("run_mode") == "scheduled" and not after.get("schedule"):
        raise InvalidRequest(
            "A scheduled tracker needs a schedule.",
            "Nothing was sent; give schedule, or run_mode=manual to stop it running by itself.",
        )
    return Change(body, before, await spending(caller.client, before, after, caller.ceilings))


async def ask_change(
    ctx: AppContext, change: Annotated[Change, Resolve(plan_change)], tracker_id: str
) -> NotAsked | Elicit[Confirm]:
    """Ask before a schedule starts to spend more than the threshold a day."""
    return question_about(ctx, change.spending, (change.before or {}).get("name") or tracker_id)


async def update_tracker(
    ctx: AppContext,
    caller: Caller,
    change: Annotated[Change, Resolve(plan_change)],
    answer: Annotated[Answer, Resolve(ask_change)],
    tracker_id: TrackerId,
    name: Name | None = None,
    description: Description | None = None,
    run_mode: RunMode | None = None,
    agent_config: AgentConfigChange | None = None,
    schedule: Schedule | None = None,
    notification_config: NotificationConfig | None = None,
    shared_vault_tracker_id: SharedVault | None = None,
    clear_fields: list[Clearable] | None = None,
) -> TrackerAnswer:
    """Change a tracker; give only what changes. agent_config and notification_config may be partial.
    clear_fields: schedule (with run_mode=manual), shared_vault_tracker_id (back to its own vault)."""
    await require_yes(ctx, caller, answer)
    async with caller.journal.exclusive(caller.id, tracker_id):
        if change.before is not None:
            latest = await plan_change(
                ctx,
                caller,
                tracker_id,
                name,
                description,
                run_mode,
                agent_config,
                schedule,
                notification_config,
                shared_vault_tracker_id,
                clear_fields,
            )
            if latest.spending is not None and latest.spending != change.spending:
                raise NeedsConsent(
                    "The tracker changed meanwhile, and with it what its schedule will spend.",
                    "Nothing was sent; call again.",
                )
            change = latest
        try:
            tracker = await caller.client.update_tracker(tracker_id, change.body)
        except Rejected as error:
            raise _explained(error, agent_config, change.body.get("agent_config")) from None
    return {
        **tracker,
        "schedule_cost": change.spending.described() if change.spending else None,
        "note": _null_note(nulls_in(ctx)),
    }


async def ask_delete(
    ctx: AppContext, caller: Caller, tracker_id: str, confirm_name: str | None
) -> NotAsked | Elicit[Confirm]:
    """Ask before a tracker goes, and say what goes with it.

    Raises:
        NeedsConsent: The client cannot ask, and the call does not carry the tracker's exact name.
    """
    if not app_of(ctx).settings.confirm_deletes and confirm_name is None:
        return NotAsked()
    tracker = await caller.client.get_tracker(tracker_id)
    name = tracker.get("name") or tracker_id
    if confirm_name is not None and confirm_name != name:
        raise NeedsConsent(
            f'confirm_name is not the name of this tracker, which is "{on_one_line(name)}".',
            "Nothing was deleted; make sure with the user that this is the one they mean.",
        )
    if not app_of(ctx).settings.confirm_deletes:
        return NotAsked()
    if not can_ask(ctx):
        if confirm_name is not None:
            return NotAsked()
        raise NeedsConsent(
            f'This deletes tracker "{on_one_line(name)}" with its schedule, all runs and results, for ever.',
            "Ask the user; if they agree, call again with confirm_name, its exact name. Nothing was deleted.",
        )
    shared = sorted(
        on_one_line(other.get("name") or other["tracker_id"])
        for other in await list_all_trackers(caller.client, tracker.get("space_id") or "unknown")
        if other.get("shared_vault_tracker_id") == tracker_id
    )
    sharing = f" Its vault is shared by {', '.join(shared)}, which must stop sharing first." if shared else ""
    question = (
        f'Delete tracker "{on_one_line(name)}" with its schedule, all runs and results? It cannot be undone.{sharing}'
    )
    return Elicit(question, Confirm)


async def delete_tracker(
    ctx: AppContext,
    caller: Caller,
    answer: Annotated[Answer, Resolve(ask_delete)],
    tracker_id: TrackerId,
    confirm_name: Annotated[str, Field(description="the tracker's exact name")] | None = None,  # noqa: ARG001 - read by ask_delete
) -> Deleted:
    """Delete a tracker with its schedules, runs and results, for ever. The user confirms: asked by the client,
    or by confirm_name where it cannot ask."""
    await require_yes(ctx, caller, answer)
    return await caller.client.delete_tracker(tracker_id)


def _explained(error: Rejected, given: AgentConfigChange | None, sent: Object | None) -> Rejected:
    """Say so where what is refused may be links that the tracker has and the update did not name.

    A newer service refuses links to what is not one's own or in another space, those that it shows itself included.
    """
    links = (sent or {}).get("linked_trackers")
    if error.status != 400 or not given or "linked_trackers" in given or not links:
        return error
    return Rejected(
        error.message,
        "Nothing was changed. agent_config was completed from the tracker, and its linked_trackers were sent back as "
        f"they are ({len(links)}). If those are refused, call again with agent_config.linked_trackers too: "
        "only this account's trackers in the same space, or [] for none.",
        status=error.status,
        body=error.body,
    )


def _null_note(nulls: frozenset[str]) -> str | None:
    clearable = sorted(nulls & {"schedule", "shared_vault_tracker_id"})
    if not clearable:
        return None
    listed = ", ".join(f'"{name}"' for name in clearable)
    return f"null counts as not given; to clear, call update_tracker with clear_fields=[{listed}]."


TOOLS = (
    Offer(update_tracker, "Update tracker", "trackers", OVERWRITES),
    Offer(delete_tracker, "Delete tracker", "trackers", DELETES),
)
