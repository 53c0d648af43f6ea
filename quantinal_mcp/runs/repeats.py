"""Whether a call repeats an earlier one: decisions without I/O. Times are UTC seconds since 1970.

Models and clients repeat calls, and many give up without saying so. That an answer was sent does not show that it was
read; that its run was named in a later call does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from quantinal_mcp.errors import AlreadyRunning
from quantinal_mcp.journal.records import DAY_SECONDS, Intent
from quantinal_mcp.models.runs import Run, has_ended
from quantinal_mcp.runs.matching import is_scheduled

UNREAD_SECONDS = 120.0
"""How long a plain call is a repeat of one that was answered, while nobody named its run."""


def earlier(intents: Iterable[Intent], now: float, named: Mapping[str, float]) -> Intent | None:
    """Return the trigger that a plain call is answered with, instead of sending another; None where there is none.

    First the one that nobody learnt and nobody works on, then one that somebody works on, then the latest whose
    answer was probably not read. `named` says when a call last named a run: what was answered before was learnt then.
    """
    unread = [intent for intent in intents if _is_unread(intent, now, named)]
    waiting = [intent for intent in unread if intent.is_open]
    free = [intent for intent in waiting if intent.owner is None]
    if free or waiting:
        return (free or waiting)[0]
    return unread[-1] if unread else None


def _is_unread(intent: Intent, now: float, named: Mapping[str, float]) -> bool:
    named_at = named.get(intent.run_id or "")
    if named_at is not None and (intent.answered_at is None or named_at >= intent.answered_at):
        return False
    if intent.is_open:
        return intent.begun_at > now - DAY_SECONDS
    # Where the clock was set back, an answer lies in the future: it counts as just sent, the safe side.
    return intent.answered_at is not None and now - intent.answered_at < UNREAD_SECONDS


def unfinished(listed: Iterable[Run]) -> Sequence[Run]:
    """Return the runs begun by hand, by whomever, that have not ended."""
    return [run for run in listed if not has_ended(run) and not is_scheduled(run)]


def standing(tracker_id: str, listed: Iterable[Run], records: Iterable[Intent]) -> Intent | None:
    """Return the trigger of ours whose run has not ended.

    Raises:
        AlreadyRunning: Somebody else's run, begun by hand, has not ended.
    """
    ours = {record.run_id: record for record in records}
    going = unfinished(listed)
    for run in going:
        if run["run_id"] in ours:
            return ours[run["run_id"]]
    if not going:
        return None
    run = going[0]
    since = run.get("started_at") or run.get("created_at")
    raise AlreadyRunning(
        f"Run {run['run_id']} of this tracker, begun by somebody else"
        + (f" at {since}" if since else "")
        + f", has not ended ({run['status']}); nothing was sent.",
        f"wait_for_run(tracker_id={tracker_id}, run_id={run['run_id']}) follows it. Only if the user wants another "
        "run beside it, call trigger_run with again=true.",
    )
