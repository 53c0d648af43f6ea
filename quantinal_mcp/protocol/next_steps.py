"""The one next step of an answer, with its ids filled in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quantinal_mcp.models.runs import Run, has_ended


def more_pages(listed: Mapping[str, Any]) -> str | None:
    """Say how to read on, where a list has more pages, and how to go back behind its last."""
    pagination: Mapping[str, Any] = listed.get("pagination") or {}
    page, total = pagination.get("page"), pagination.get("total_pages")
    if not isinstance(page, int) or not isinstance(total, int):
        return None
    if page < total:
        return f"page={page + 1} of {total} continues"
    return f"page={total} is the last" if page > max(total, 1) else None


def after_run(tracker_id: str, run: Run) -> str:
    """Say what to do with a run in this state."""
    if run["status"] == "completed":
        return f"get_score_history(tracker_id={tracker_id}) shows how the score moved"
    if has_ended(run):
        return f"read error_message; get_tracker(tracker_id={tracker_id}) shows the configuration"
    return f"wait_for_run(tracker_id={tracker_id}, run_id={run['run_id']}) continues; do not trigger again"
