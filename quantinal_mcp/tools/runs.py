"""Runs: list, read, wait for, comment on and delete."""

from __future__ import annotations

from typing import Annotated

import anyio
from mcp.server.mcpserver import Elicit, Resolve
from pydantic import Field

from quantinal_mcp.errors import InvalidRequest, NeedsConsent
from quantinal_mcp.models.common import Deleted, Page, RunId, TrackerId, iso_utc
from quantinal_mcp.models.runs import NotificationStatus, Run, RunStatus, has_ended
from quantinal_mcp.models.text import on_one_line
from quantinal_mcp.protocol.arguments import Detail, From, PageNumber, PageSize, Score, Until, Wait
from quantinal_mcp.protocol.caller import AppContext, Caller, app_of, tell_through
from quantinal_mcp.protocol.detached import LONGEST_HOLD, detaching
from quantinal_mcp.protocol.next_steps import after_run, more_pages
from quantinal_mcp.protocol.offers import DELETES, OVERWRITES, READS, Offer
from quantinal_mcp.protocol.questions import Answer, Confirm, NotAsked, ask, require_yes
from quantinal_mcp.runs.following import wait_for
from quantinal_mcp.tools.triggering import trimmed


class RunAnswer(Run, total=False):
    """A run."""

    next_step: str


class RunList(Page[Run], total=False):
    """One page of runs."""

    next_step: str


async def list_runs(
    caller: Caller,
    tracker_id: TrackerId,
    status: RunStatus | None = None,
    notification_status: NotificationStatus | None = None,
    start_date: From | None = None,
    end_date: Until | None = None,
    min_score: Score | None = None,
    max_score: Score | None = None,
    page: PageNumber = 1,
    page_size: PageSize = 20,
    detail: Detail = "summary",
) -> RunList:
    """List a tracker's runs with scores and insights. For trends use get_score_history."""
    if start_date is not None and end_date is not None and end_date < start_date:
        raise InvalidRequest("end_date is before start_date.", "Nothing was sent.")
    if min_score is not None and max_score is not None and min_score > max_score:
        raise InvalidRequest("min_score is above max_score.", "Nothing was sent.")
    listed = await caller.runs.list(
        tracker_id,
        {
            "status": status,
            "notification_status": notification_status,
            "start_date": iso_utc(start_date) if start_date else None,
            "end_date": iso_utc(end_date) if end_date else None,
            "min_score": min_score,
            "max_score": max_score,
            "page": page,
            "page_size": page_size,
        },
    )
    if detail == "summary":
        listed["data"] = [_short(run) for run in listed["data"]]
    return {**listed, "next_step": more_pages(listed) or f"get_score_history(tracker_id={tracker_id})"}


def _short(run: Run) -> Run:
    """Return a run of a list without the tracker that all of it belongs to, and with one time."""
    kept = trimmed(run)
    kept.pop("tracker_id", None)
    if kept.get("completed_at"):
        kept.pop("started_at", None)
    return kept


async def get_run(caller: Caller, tracker_id: TrackerId, run_id: RunId) -> RunAnswer:
    """Get one run as it is now, with all details. To wait for its end use wait_for_run."""
    caller.triggers.named(run_id)
    run = await caller.runs.get(tracker_id, run_id)
    kept: Run = {**run}
    kept.pop("space_id", None)  # its tracker's, and an id is forty tokens
    if not run.get("notification_delivery"):
        kept.pop("notification_delivery", None)
    is_read = run["status"] == "completed"  # its result is what was asked for
    return {**kept} if is_read else {**kept, "next_step": after_run(tracker_id, run)}


async def wait_for_run(
    ctx: AppContext, caller: Caller, tracker_id: TrackerId, run_id: RunId, wait_seconds: Wait | None = None
) -> RunAnswer:
    """Wait for a run to end, up to wait_seconds (default 45), and return it as it is then. Costs nothing; call again
    while it is running."""
    wait = app_of(ctx).settings.wait_seconds if wait_seconds is None else wait_seconds
    if (detached := detaching(ctx, wait_seconds)) is not None:
        wait = max(wait, LONGEST_HOLD)
        detached.waits(tracker_id, run_id)
    deadline = anyio.current_time() + wait
    caller.triggers.named(run_id)
    run = await wait_for(caller.watches, caller.runs, tracker_id, run_id, deadline, tell_through(ctx))
    return waited(tracker_id, run)


def waited(tracker_id: str, run: Run) -> RunAnswer:
    """Return the answer about a run that was waited for."""
    return {**trimmed(run), "next_step": after_run(tracker_id, run)}


async def update_run_comment(
    caller: Caller,
    tracker_id: TrackerId,
    run_id: RunId,
    comment: Annotated[str, Field(max_length=1000, description="empty clears")],
) -> RunAnswer:
    """Set or clear the human feedback comment of a run."""
    caller.triggers.named(run_id)
    run = await caller.client.update_run_comment(tracker_id, run_id, comment)
    return {**trimmed(run)}


async def ask_delete_run(
    ctx: AppContext, caller: Caller, tracker_id: str, run_id: str, confirm: bool
) -> NotAsked | Confirm | Elicit[Confirm]:
    """Ask before a run goes; where the client cannot ask, the call must carry `confirm`."""
    if not app_of(ctx).settings.confirm_deletes:
        return NotAsked()
    run = await caller.client.get_run(tracker_id, run_id)
    tracker = await caller.client.get_tracker(tracker_id)
    when = run.get("completed_at") or run.get("started_at") or "not started"
    state = "" if has_ended(run) else " It has not ended, and deleting it does not stop it."
    name = on_one_line(tracker.get("name") or tracker_id)
    deleted = f'run {run_id} ("{on_one_line(when)}") of tracker "{name}" and its result'

    def question(can_ask: bool) -> str | None:
        if can_ask:
            return f"Delete {deleted}? It cannot be undone.{state}"
        if confirm:
            return None
        raise NeedsConsent(
            f"This deletes {deleted}, for ever.{state}",
            "Ask the user; if they agree, call again with confirm=true. Nothing was deleted.",
        )

    return await ask(ctx, question)


async def delete_run(
    ctx: AppContext,
    caller: Caller,
    answer: Annotated[Answer, Resolve(ask_delete_run)],
    tracker_id: TrackerId,
    run_id: RunId,
    confirm: Annotated[bool, Field(description="the user agreed")] = False,  # noqa: ARG001 - read by ask_delete_run
) -> Deleted:
    """Delete a run and its result, for ever. The user confirms: asked by the client, or by confirm where it cannot
    ask."""
    await require_yes(ctx, caller, answer)
    caller.triggers.named(run_id)
    return await caller.client.delete_run(tracker_id, run_id)


TOOLS = (
    Offer(list_runs, "List runs", "runs", READS),
    Offer(get_run, "Get run", "runs", READS),
    Offer(wait_for_run, "Wait for run", "runs", READS),
    Offer(update_run_comment, "Update run comment", "runs", OVERWRITES),
    Offer(delete_run, "Delete run", "runs", DELETES),
)
