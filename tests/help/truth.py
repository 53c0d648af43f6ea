"""What is true of intents and of the runs there are, whatever the journal says of them."""

from __future__ import annotations

from dataclasses import dataclass, field

from quantinal_mcp.journal.engine import Engine
from quantinal_mcp.journal.records import Intent
from quantinal_mcp.models.runs import ConfigSnapshot, Run


@dataclass
class Sent:
    """What is true of an intent, whatever the journal says."""

    record: Intent
    owner: Engine | None
    is_posted: bool = False
    run_id: str | None = None
    """What the service began for it."""
    is_over: bool = False
    """Whether a caller was told its run, or was told twice that there is none, or nothing was executed."""
    is_unknown: bool = False


@dataclass
class Wish:
    """A plain call that has looked, and not begun yet."""

    journal: Engine
    tracker_id: str
    seen: frozenset[str]


@dataclass
class Service:
    """The runs there are, and what they were charged."""

    runs: list[Run] = field(default_factory=list[Run])

    def begin(self, tracker_id: str, *, sync: bool) -> str:
        run_id = f"run_{len(self.runs)}"
        marks: ConfigSnapshot = {"trigger_type": "manual", "sync": sync}
        self.runs.append({"run_id": run_id, "tracker_id": tracker_id, "status": "running", "config_snapshot": marks})
        return run_id

    def listed(self, tracker_id: str) -> list[Run]:
        return [run for run in self.runs if run.get("tracker_id") == tracker_id]
