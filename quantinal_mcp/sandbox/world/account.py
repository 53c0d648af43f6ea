"""One token's isolated world: its spaces, trackers and balance."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from quantinal_mcp.sandbox.world.errors import ApiError, not_found
from quantinal_mcp.sandbox.world.ids import make_uuid
from quantinal_mcp.sandbox.world.records import Run, Source, Space, Tracker, Vault


@dataclass
class Account:
    """Everything that belongs to one token."""

    seed: int
    index: int
    balance: float
    starred: frozenset[str]
    """Other people's public trackers that were starred in the console."""
    spaces: dict[str, Space] = field(default_factory=dict[str, Space])
    trackers: dict[str, Tracker] = field(default_factory=dict[str, Tracker])
    charged: float = 0.0
    runs_begun: int = 0
    _made: int = 0

    def new_id(self, prefix: str = "") -> str:
        """A fresh id; the same sequence for the same seed."""
        self._made += 1
        return prefix + make_uuid(self.seed, self.index, "new", self._made)

    def space(self, space_id: str) -> Space:
        """One space, or 404."""
        if space_id not in self.spaces:
            raise not_found("Space")
        return self.spaces[space_id]

    def tracker(self, tracker_id: str) -> Tracker:
        """One tracker, or 404."""
        if tracker_id not in self.trackers:
            raise not_found("Tracker")
        return self.trackers[tracker_id]

    def run(self, tracker_id: str, run_id: str) -> Run:
        """One run of a tracker, or 404."""
        runs = self.tracker(tracker_id).runs
        if run_id not in runs:
            raise not_found("Run")
        return runs[run_id]

    def in_space(self, space_id: str) -> list[Tracker]:
        """The trackers of a space, oldest first."""
        return sorted(
            (tracker for tracker in self.trackers.values() if tracker.space_id == space_id),
            key=lambda tracker: tracker.created_at,
        )

    def vault_owner(self, tracker_id: str) -> Tracker:
        """The tracker whose own vault this one uses: itself, or the one it shares with."""
        tracker = self.tracker(tracker_id)
        shared = tracker.settings["shared_vault_tracker_id"]
        return self.trackers[shared] if shared else tracker

    def vault(self, tracker_id: str, now: datetime) -> Vault:
        """A tracker's active vault, without what its time to live has expired."""
        owner = self.vault_owner(tracker_id)
        ttl = owner.settings["vault_ttl_days"]
        if ttl is not None:
            _expire(owner.vault.sources.values(), now - timedelta(days=ttl))
        return owner.vault

    def source(self, tracker_id: str, source_id: str, now: datetime) -> Source:
        """One source of a tracker's active vault, or 404."""
        sources = self.vault(tracker_id, now).sources
        if source_id not in sources:
            raise not_found("Data source")
        return sources[source_id]

    def sharing_vault_of(self, tracker_id: str) -> list[str]:
        """The ids of the trackers that use this tracker's vault."""
        return [
            other.tracker_id
            for other in self.trackers.values()
            if other.settings["shared_vault_tracker_id"] == tracker_id
        ]

    def charge(self, cost: float) -> None:
        """Take the cost of a run from the balance, or 402."""
        if cost > self.balance + 1e-9:
            raise ApiError(
                402,
                f"Insufficient quants: this run costs {cost:g}, the balance is {self.balance:g}. Top up your balance.",
            )
        self.balance = round(self.balance - cost, 6)
        self.charged = round(self.charged + cost, 6)
        self.runs_begun += 1


def _expire(sources: Iterable[Source], before: datetime) -> None:
    for source in sources:
        kept = [item for item in source.items if item.created_at >= before]
        if len(kept) < len(source.items):
            source.items = kept
            source.size_bytes = sum(len(item.content.encode()) for item in kept)


def own_settings(
    *,
    name: str,
    description: str,
    run_mode: str,
    agent_config: dict[str, Any],
    schedule: dict[str, Any] | None = None,
    notification_config: dict[str, Any] | None = None,
    shared_vault_tracker_id: str | None = None,
    vault_ttl_days: int | None = None,
) -> dict[str, Any]:
    """The part of a tracker that its owner sets, in the documents' order."""
    return {
        "name": name,
        "description": description,
        "run_mode": run_mode,
        "schedule": schedule,
        "shared_vault_tracker_id": shared_vault_tracker_id,
        "vault_ttl_days": vault_ttl_days,
        "agent_config": agent_config,
        "notification_config": notification_config,
    }
