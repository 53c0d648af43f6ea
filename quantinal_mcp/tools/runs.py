"""Runs: list, read, wait for, comment on and delete."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, cast

import anyio
from mcp.server.mcpserver import Elicit, Resolve
from pydantic import Field
from typing_extensions import TypedDict

from quantinal_mcp.errors import InvalidRequest, NeedsConsent
from quantinal_mcp.models.common import (
    Deleted,
    Object,
    Page,
    RunId,
    Timestamp,
    TrackerId,
    iso_minute,
    period,
    read_time,
)
from quantinal_mcp.models.runs import NotificationStatus, Run, RunStatus, has_ended
from quantinal_mcp.models.text import on_one_line
from quantinal_mcp.protocol.arguments import Detail, PageNumber, PageSize, Score, Wait, check_period
from quantinal_mcp.protocol.caller import AppContext, Caller, app_of, tell_through
from quantinal_mcp.protocol.detached import LONGEST_HOLD, detaching
from quantinal_mcp.protocol.next_steps import after_run, more_pages
from quantinal_mcp.protocol.offers import DELETES, OVERWRITES, READS, Offer
from quantinal_mcp.protocol.questions import Answer, Confirm, NotAsked, ask, require_yes
from quantinal_mcp.tools.triggering import RARELY_NEEDED, trimmed


class RunAnswer(Run, total=False):
    """A run."""

    next_step: str


class CommentAnswer(TypedDict, total=False):
    """A run's comment as it is now."""

    run_id: str
    run_comment: str | None
    run_comment_updated_at: str | None


class DeletedRun(Deleted, total=False):
    """What is gone."""

    gone: str


class RunList(Page[Run], total=False):
    """One page of runs."""

    next_step: str


_TIMES = ("completed_at", "started_at", "created_at")
_ELSEWHERE = {"tracker_id", *RARELY_NEEDED, *_TIMES}


async def list_runs(
    caller: Caller,
    tracker_id: TrackerId,
    status: RunStatus | None = None,
    notification_status: NotificationStatus | None = None,
    start_date: Timestamp | None = None,
    end_date: Timestamp | None = None,
    min_score: Score | None = None,
    max_score: Score | None = None,
    page: PageNumber = 1,
    page_size: PageSize = 20,
    detail: Detail = "summary",
) -> RunList:
    """List a tracker's runs with scores and insights. For trends use get_score_history."""
    check_period(start_date, end_date)
    if min_score is not None and max_score is not None and min_score > max_score:
        raise InvalidRequest("min_score is above max_score.", "Nothing was sent; swap them.")
    listed = await caller.runs.list(
        tracker_id,
        {
            "status": status,
            "notification_status": notification_status,
            **period(start_date, end_date),
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
    """Return a run of a list without the tracker that all of it belongs to, with one time, and with what moved its
    score instead of where it started from."""
    fields = cast("Object", run)
    kept = {name: value for name, value in fields.items() if value is not None and name not in _ELSEWHERE}
    for name in _TIMES:
        if (time := read_time(fields.get(name))) is not None:
            kept[name] = iso_minute(time)
            break
    if kept.get("result"):
        kept["result"] = {name: value for name, value in kept["result"].items() if name != "baseline_score"}
    return cast("Run", kept)


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
    run = await caller.triggers.waits.wait(tracker_id, run_id, deadline, tell_through(ctx))
    return waited(tracker_id, run)


def waited(tracker_id: str, run: Run) -> RunAnswer:
    """Return the answer about a run that was waited for."""
    return {**trimmed(run), "next_step": after_run(tracker_id, run)}


async def update_run_comment(
    caller: Caller,
    tracker_id: TrackerId,
    run_id: RunId,
    comment: Annotated[str, Field(max_length=1000, description="empty clears")],
) -> CommentAnswer:
    """Set or clear the human feedback comment of a run."""
    caller.triggers.named(run_id)
    run = await caller.client.update_run_comment(tracker_id, run_id, comment)
    changed = cast("Object", run)  # who changed it and when is documented by an example only
    return {
        "run_id": run["run_id"],
        "run_comment": run.get("run_comment"),
        "run_comment_updated_at": changed.get("run_comment_updated_at"),
    }


@dataclass(frozen=True, slots=True)
class Leaving:
    """A run that is to go, as it is said to be."""

    run: Run
    name: str


async def leaving_run(caller: Caller, tracker_id: str, run_id: str) -> Leaving:
    """Read what goes, to say so before and after."""
    run = await caller.runs.get(tracker_id, run_id)
    tracker = await caller.client.get_tracker(tracker_id)
    of = on_one_line(tracker.get("name") or tracker_id)
    return Leaving(run, f'{_as_known(run)} of tracker "{of}" and its result')


def _as_known(run: Run) -> str:
    """Return a run as a person knows it: ids say nothing. Of one that is going on only what does not change, since a
    question that has changed is asked anew."""
    begun = read_time(run.get("created_at") or run.get("started_at"))
    when = f"run of {iso_minute(begun).replace('T', ' ').replace('Z', ' UTC')}" if begun else f"run {run['run_id']}"
    score, comment = (run.get("result") or {}).get("score"), run.get("run_comment")
    known = [
        f"score {score:g}" if score is not None and has_ended(run) else "",
        f'comment "{on_one_line(comment)}"' if comment else "",
    ]
    told = ", ".join(filter(None, known))
    return f"the {when} ({told})" if told else f"the {when}"


async def ask_delete_run(
    ctx: AppContext, leaving: Annotated[Leaving, Resolve(leaving_run)], confirm: bool
) -> NotAsked | Confirm | Elicit[Confirm]:
    """Ask before a run goes; where the client cannot ask, the call must carry `confirm`."""
    if not app_of(ctx).settings.confirm_deletes:
        return NotAsked()
    state = "" if has_ended(leaving.run) else " It has not ended, and deleting it does not stop it."

    def question(can_ask: bool) -> str | None:
        if can_ask:
            return f"Delete {leaving.name}? It cannot be undone.{state}"
        if confirm:
            return None
        raise NeedsConsent(
            f"This deletes {leaving.name}, for ever.{state}",
            "Ask the user; if they agree, call again with confirm=true. Nothing was deleted.",
        )

    return await ask(ctx, question)


async def delete_run(
    ctx: AppContext,
    caller: Caller,
    leaving: Annotated[Leaving, Resolve(leaving_run)],
    answer: Annotated[Answer, Resolve(ask_delete_run)],
    tracker_id: TrackerId,
    run_id: RunId,
    confirm: Annotated[bool, Field(description="the user agreed")] = False,  # noqa: ARG001 - read by ask_delete_run
) -> DeletedRun:
    """Delete a run and its result, for ever. The user confirms: asked by the client, or by confirm where it cannot
    ask."""
    await require_yes(ctx, caller, answer)
    caller.triggers.named(run_id)
    deleted = await caller.client.delete_run(tracker_id, run_id)
    caller.triggers.waits.deleted(tracker_id, run_id)
    return {**deleted, "gone": leaving.name}


TOOLS = (
    Offer(list_runs, "List runs", "runs", READS, "past results failed insights"),
    Offer(get_run, "Get run", "runs", READS, "explain why result factors insight"),
    Offer(wait_for_run, "Wait for run", "runs", READS, "poll finish running progress"),
    Offer(update_run_comment, "Update run comment", "runs", OVERWRITES, "feedback annotate note"),
    Offer(delete_run, "Delete run", "runs", DELETES, "remove result"),
)
