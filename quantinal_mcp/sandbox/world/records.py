"""What an account holds: spaces, trackers, runs, vaults and sources."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from quantinal_mcp.sandbox.stories.narrative import Voice
from quantinal_mcp.sandbox.world.clock import stamp
from quantinal_mcp.sandbox.world.service import Service

Json = dict[str, Any]


@dataclass(slots=True)
class Run:
    """One run. Its whole course is fixed when it begins; what of it shows depends on the time."""

    run_id: str
    tracker_id: str
    space_id: str
    created_at: datetime
    started_at: datetime
    ends_at: datetime
    cost: float
    snapshot: Json
    result: Json | None
    error_message: str | None
    delivery: Json
    origin: str
    """Who began it: `history`, `api`, or `elsewhere` (the schedule, somebody else)."""
    listed_at: datetime
    context: Json | None = None
    comment: Json | None = None

    def status(self, now: datetime) -> str:
        """pending, running, completed or failed."""
        if now < self.started_at:
            return "pending"
        if now < self.ends_at:
            return "running"
        return "failed" if self.error_message else "completed"

    def score(self, now: datetime) -> float | None:
        """The score, once there is one."""
        return self.result["score"] if self.result and now >= self.ends_at else None

    def notification(self, now: datetime) -> str | None:
        """success, failed or skipped; None while the run goes on."""
        if now < self.ends_at:
            return None
        statuses = {channel["status"] for channel in self.delivery.values() if channel}
        if not statuses:
            return "skipped"
        return "failed" if "failed" in statuses else "success"

    def view(self, now: datetime) -> Json:
        """The run as `GET .../runs/{run_id}` shows it."""
        status = self.status(now)
        over = status in ("completed", "failed")
        shown: Json = {
            "run_id": self.run_id,
            "tracker_id": self.tracker_id,
            "space_id": self.space_id,
            "status": status,
            "started_at": None if status == "pending" else stamp(self.started_at),
            "completed_at": stamp(self.ends_at) if over else None,
            "quants_used": self.cost,
            "result": self.result if over else None,
            "config_snapshot": self.snapshot,
            "notification_delivery": self.delivery if over else {"email": None, "webhook": None},
            "error_message": self.error_message if over else None,
        }
        if status == "pending":
            del shown["quants_used"]
        return shown | (self.comment or {})

    def revealed(self, now: datetime) -> Json:
        """The view, and what the API keeps to itself under `internal`."""
        internal = {
            "origin": self.origin,
            "created_at": self.created_at.isoformat(),
            "ends_at": self.ends_at.isoformat(),
            "cost": self.cost,
            "context": self.context,
        }
        return self.view(now) | {"internal": internal}


@dataclass(slots=True)
class Item:
    """One piece of vault data."""

    data_id: str
    content: str
    content_type: str
    created_at: datetime


@dataclass(slots=True)
class Source:
    """A named source in a vault and its data."""

    source_id: str
    name: str
    description: str | None
    source_type: str
    uploaded_at: datetime
    updated_at: datetime
    size_bytes: int = 0
    items: list[Item] = field(default_factory=list[Item])

    def view(self) -> Json:
        """The source as `GET .../vault/sources/{source_id}` shows it."""
        return {
            "source_id": self.source_id,
            "name": self.name,
            "description": self.description,
            "source_type": self.source_type,
            "size_bytes": self.size_bytes,
            "data_count": len(self.items),
            "status": "completed",
            "uploaded_at": stamp(self.uploaded_at),
            "updated_at": stamp(self.updated_at),
        }


@dataclass(slots=True)
class Vault:
    """A tracker's own vault."""

    vault_id: str
    created_at: datetime
    updated_at: datetime
    sources: dict[str, Source] = field(default_factory=dict[str, Source])

    def size_bytes(self) -> int:
        """The size of all its sources."""
        return sum(source.size_bytes for source in self.sources.values())


def _no_runs() -> dict[str, Run]:
    return {}


@dataclass
class Tracker:
    """A tracker with its runs and its own vault; what it ran before the start is made up when first asked for."""

    tracker_id: str
    space_id: str
    category: str
    settings: Json
    created_at: datetime
    updated_at: datetime
    vault: Vault
    voice: Voice
    history: Callable[[], dict[str, Run]] = _no_runs

    @cached_property
    def runs(self) -> dict[str, Run]:
        """All its runs by id."""
        return self.history()

    @property
    def agent_config(self) -> Json:
        """How it analyses: replaced as a unit, never changed in place."""
        return self.settings["agent_config"]

    def view(self, now: datetime, service: Service) -> Json:
        """The tracker as `GET /api/trackers/{tracker_id}` shows it."""
        started = [run.started_at for run in self.runs.values() if run.started_at <= now]
        shown: Json = {
            "tracker_id": self.tracker_id,
            "space_id": self.space_id,
            **self.settings,
            "category": self.category,
            "visibility": "private",
            "last_run_at": stamp(max(started)) if started else None,
            "created_at": stamp(self.created_at),
            "updated_at": stamp(self.updated_at),
        }
        return {name: value for name, value in shown.items() if name not in service.unsent}


@dataclass(frozen=True, slots=True)
class Space:
    """A space; its counts are the account's to compute."""

    space_id: str
    name: str
    description: str
    category: str
    created_at: datetime
    updated_at: datetime | None
    plan: Mapping[str, float]
