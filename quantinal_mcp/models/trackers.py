"""Trackers: AI monitoring jobs, and what configures them."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Required

from pydantic import Field
from typing_extensions import TypedDict

from quantinal_mcp.models.common import Identifier, Number, Object, Timestamp, TrackerId, exact, tolerant

ReasoningMode = Literal["basic", "advanced", "super", "zen"]
RunMode = Literal["manual", "scheduled"]

Instruction = Annotated[
    str,
    Field(min_length=1, max_length=1000, description="HOW to analyze: method, sources, criteria"),
]
ScoreMeaning = Annotated[str, Field(min_length=1, description="what it measures")]


def _bare(schema: dict[str, Any]) -> None:
    """That an id is not empty goes without saying; said, it costs every conversation tokens."""
    schema.pop("minLength", None)


SkillId = Annotated[str, Field(min_length=1, json_schema_extra=_bare)]
Skills = Annotated[list[SkillId], Field(description="skill_ids from list_skills")]
Reasoning = Annotated[ReasoningMode, Field(description="cost up to ×1/8/30/55; zen: an hour")]
Linked = Annotated[list[TrackerId], Field(max_length=10, description="context; adds cost")]


@exact
class AgentConfig(TypedDict, total=False):
    """A complete agent configuration, as POST and PATCH take it."""

    instruction: Required[Instruction]
    score_meaning: Required[ScoreMeaning]
    skills: Required[Skills]
    reasoning_mode: Reasoning
    linked_trackers: Linked


@exact
class AgentConfigChange(TypedDict, total=False):
    """The fields of an agent configuration to change; the rest is completed from the tracker."""

    instruction: Instruction
    score_meaning: ScoreMeaning
    skills: Skills
    reasoning_mode: Reasoning
    linked_trackers: Linked


@exact
class NotificationConfig(TypedDict, total=False):
    """When a run notifies, and by which channel."""

    score_threshold: Annotated[
        float, Field(ge=0, le=100, allow_inf_nan=False, description="notify at or below (default 40)")
    ]
    email_enabled: bool
    webhook_enabled: bool


@exact
class Schedule(TypedDict, total=False):
    """When a scheduled tracker runs by itself."""

    start_time: Required[Timestamp]
    interval_minutes: Required[Annotated[int, Field(ge=1, le=44640, description="daily 1440, weekly 10080")]]
    end_time: Timestamp


@exact
class ScheduleChange(TypedDict, total=False):
    """The fields of a schedule to change; the rest is completed from the tracker."""

    start_time: Timestamp
    interval_minutes: Annotated[int, Field(ge=1, le=44640, description="daily 1440, weekly 10080")]
    end_time: Timestamp


class NewTracker(TypedDict, total=False):
    """POST /api/spaces/{space_id}/trackers; times in it are text already."""

    name: Required[str]
    description: Required[str]
    run_mode: Required[RunMode]
    agent_config: Required[Object]
    schedule: Object
    notification_config: Object
    shared_vault_tracker_id: str
    vault_ttl_days: int


class TrackerChange(TypedDict, total=False):
    """PATCH /api/trackers/{tracker_id}; a null clears."""

    name: str
    description: str
    run_mode: RunMode
    agent_config: Object
    schedule: Object | None
    notification_config: Object
    shared_vault_tracker_id: str | None


@tolerant
class AgentConfigShape(TypedDict, total=False):
    """An agent configuration as the service answers it."""

    instruction: str | None
    score_meaning: str | None
    skills: list[str] | None
    reasoning_mode: str | None
    linked_trackers: list[str] | None


@tolerant
class ScheduleShape(TypedDict, total=False):
    """A schedule as the service answers it."""

    start_time: str | None
    interval_minutes: Number | None
    end_time: str | None


@tolerant
class NotificationShape(TypedDict, total=False):
    """Notification settings as the service answers them."""

    score_threshold: Number | None
    email_enabled: bool | None
    webhook_enabled: bool | None


@tolerant
class Tracker(TypedDict, total=False):
    """GET /api/trackers and /api/trackers/{tracker_id}."""

    tracker_id: Required[Identifier]
    space_id: str | None
    name: str | None
    description: str | None
    run_mode: str | None
    agent_config: AgentConfigShape | None
    schedule: ScheduleShape | None
    notification_config: NotificationShape | None
    shared_vault_tracker_id: str | None
    vault_ttl_days: int | None
    category: str | None
    last_run_at: str | None
    created_at: str | None
    updated_at: str | None


def score_meaning(tracker: Tracker) -> str | None:
    """What a tracker's score measures, as far as it says."""
    return (tracker.get("agent_config") or {}).get("score_meaning")


def threshold(tracker: Tracker) -> float | None:
    """The score at or below which a tracker notifies, if it does."""
    return (tracker.get("notification_config") or {}).get("score_threshold")
