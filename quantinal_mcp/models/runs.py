"""Runs: one execution of a tracker, and its result."""

from __future__ import annotations

from typing import Literal, Required

from typing_extensions import TypedDict

from quantinal_mcp.models.common import Amount, Identifier, Number, Object, tolerant
from quantinal_mcp.models.trackers import AgentConfigShape

RunStatus = Literal["pending", "running", "completed", "failed"]
NotificationStatus = Literal["success", "failed", "skipped"]


@tolerant
class Factor(TypedDict, total=False):
    """What moved the score: `impact` in points, `probability` from 0 to 1."""

    factor: str | None
    impact: Number | None
    probability: Number | None


@tolerant
class RunResult(TypedDict, total=False):
    """What a completed run found. `score` is 0 to 100."""

    score: Number | None
    insight: str | None
    baseline_score: Number | None
    score_adjustment_factors: list[Factor] | None


@tolerant
class ConfigSnapshot(TypedDict, total=False):
    """What the run was started with, and by whom (`trigger_type`)."""

    agent_config: AgentConfigShape | None
    trigger_type: str | None
    sync: bool | None


@tolerant
class Run(TypedDict, total=False):
    """POST and GET /api/trackers/{tracker_id}/runs. Times are ISO 8601, `quants_used` is what it cost."""

    run_id: Required[Identifier]
    tracker_id: str | None
    space_id: str | None
    status: Required[str]
    created_at: str | None
    started_at: str | None
    completed_at: str | None
    execution_time_seconds: Number | None
    quants_used: Amount
    result: RunResult | None
    error_message: str | None
    run_comment: str | None
    config_snapshot: ConfigSnapshot | None
    notification_delivery: Object | None


def has_ended(run: Run) -> bool:
    """Whether a run is over: completed, failed, or of an end that the documents do not know yet."""
    status = run["status"]
    return status in {"completed", "failed"} or (status not in {"pending", "running"} and bool(run.get("completed_at")))
