"""The shape in which the stories of the seeded trackers are written down."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from quantinal_mcp.sandbox.stories.narrative import Voice


@dataclass(frozen=True)
class Sample:
    """A seeded vault source; its rows are JSON objects as text, or paragraphs."""

    name: str
    source_type: str
    rows: tuple[str, ...]
    days_ago: float
    description: str | None = None
    source_id: str | None = None


@dataclass(frozen=True)
class Plot:
    """A seeded tracker: its configuration, and the course its scores took.

    Ids are given where the documents show them; the others are made from the seed.
    """

    key: str
    space: str
    name: str
    description: str
    instruction: str
    score_meaning: str
    skills: tuple[str, ...]
    voice: Voice
    course: tuple[tuple[float, float], ...] = ()
    """(days ago, score), oldest first; runs fall on the lines between."""
    runs: int = 0
    noise: int = 3
    reasoning_mode: str = "basic"
    interval_minutes: int | None = None
    """Of its schedule; None for a manual tracker."""
    threshold: float | None = None
    """Of its notifications; None for no notification_config."""
    email: bool = True
    webhook: bool = False
    failed_runs: frozenset[int] = frozenset()
    """Which runs failed, counted from the oldest."""
    undelivered: frozenset[int] = frozenset()
    linked: tuple[str, ...] = ()
    shares_vault_of: str | None = None
    tracker_id: str | None = None
    newest_run_id: str | None = None
    newest_score: int | None = None
    sources: tuple[Sample, ...] = ()


@dataclass(frozen=True)
class SpacePlot:
    """A seeded space."""

    key: str
    name: str
    description: str
    category: str
    days_ago: float
    updated_days_ago: float | None
    plan: Mapping[str, float] = field(default_factory=dict[str, float])
    space_id: str | None = None
