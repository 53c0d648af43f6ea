"""Which listed run belongs to which trigger whose answer was lost: decisions without I/O."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from quantinal_mcp.journal.records import Intent
from quantinal_mcp.models.runs import Run


def could_be(run: Run, intent: Intent) -> bool:
    """Whether `run` can be the one that `intent` began: new since, and not marked as somebody else's."""
    sync = (run.get("config_snapshot") or {}).get("sync")
    return run["run_id"] not in intent.before and not is_scheduled(run) and (sync is None or sync == intent.sync)


def is_scheduled(run: Run) -> bool:
    """Whether a run says that a schedule began it; one that does not say counts as begun by hand."""
    trigger_type = (run.get("config_snapshot") or {}).get("trigger_type") or ""
    return trigger_type.lower().startswith(("sched", "cron", "auto"))


def is_marked(run: Run, intent: Intent) -> bool:
    """Whether `run` carries the marks of a trigger like `intent`: manual, and of the same sync mode."""
    marks = run.get("config_snapshot") or {}
    return marks.get("trigger_type") == "manual" and marks.get("sync") == intent.sync


def assign(
    lost: Sequence[Intent], in_flight: Iterable[Intent], listed: Iterable[Run], claimed: Collection[str]
) -> Mapping[str, Run]:
    """Give lost triggers their runs, by intent id: each its own, and none that one still in flight may yet claim.

    Every such match is only likely: nothing in a list tells our run from another person's or another program's.
    """
    rivals = list(in_flight)
    free = [run for run in listed if run["run_id"] not in claimed and not any(could_be(run, rival) for rival in rivals)]
    given: dict[str, Run] = {}
    # The latest snapshot leaves the fewest choices; serving it first leaves the others theirs.
    for intent in sorted(lost, key=lambda intent: (-len(intent.before), intent.intent_id)):
        fits = [run for run in free if could_be(run, intent)]
        if not fits:
            continue
        best = min(fits, key=lambda run: (not is_marked(run, intent), run.get("started_at") or "~", run["run_id"]))
        given[intent.intent_id] = best
        free.remove(best)
    return given
