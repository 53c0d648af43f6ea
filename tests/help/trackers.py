"""Trackers and their runs, made up around one moment, and a service that has them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import httpx

from help.seeded import Json
from quantinal_mcp.models.common import iso_utc

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def run(ago: timedelta, score: float | None, *, cost: float | None = 0.02, by: str | None = "manual") -> Json:
    """A run that ended so long before `NOW`; without a score it failed."""
    ended = NOW - ago
    return {
        "run_id": f"run_{int(ago.total_seconds())}",
        "status": "failed" if score is None else "completed",
        "started_at": iso_utc(ended - MINUTE),
        "completed_at": iso_utc(ended),
        "quants_used": cost,
        "result": None if score is None else {"score": score, "insight": "x"},
        "config_snapshot": {"agent_config": {"skills": ["web"]}, **({"trigger_type": by} if by else {})},
    }


def tracker(
    tracker_id: str = "trk_1", *, every: timedelta | None = None, threshold: float | None = None, **more: Any
) -> Json:
    minutes = every.total_seconds() / 60 if every else None
    return {
        "tracker_id": tracker_id,
        "space_id": "spc_1",
        "name": f"Name of {tracker_id}",
        "run_mode": "scheduled" if every else "manual",
        "agent_config": {"score_meaning": "Mood", "skills": ["web"]},
        "schedule": {"start_time": "2026-01-01T09:00:00Z", "interval_minutes": minutes} if every else None,
        "notification_config": {"score_threshold": threshold} if threshold is not None else None,
        "last_run_at": iso_utc(NOW),
        "created_at": "2025-01-01T00:00:00Z",
        **more,
    }


@dataclass
class Service(httpx.AsyncBaseTransport):
    """A service of these trackers and runs, which lists runs in an order of its own and filters them by when they
    started; it remembers what was asked and how much at once."""

    trackers: Sequence[Json]
    runs: dict[str, list[Json]]
    asked: list[httpx.URL] = field(default_factory=list[httpx.URL])
    in_flight: int = 0
    most_in_flight: int = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        await anyio.sleep(0.01)
        self.in_flight -= 1
        return httpx.Response(200, json=self._page(request.url))

    def _page(self, url: httpx.URL) -> Json:
        rows: list[Json]
        if url.path.endswith("/spaces"):
            rows = [{"space_id": "spc_1"}]
        elif url.path.endswith("/trackers"):
            rows = list(self.trackers)
        elif url.path.endswith("/skills"):
            rows = [{"skill_id": "web", "base_cost_quants": 0.012}]
        else:
            rows = self._runs(url)
        size, page = int(url.params["page_size"]), int(url.params["page"])
        shown = rows[(page - 1) * size : page * size]
        pages = -(-len(rows) // size)
        return {"data": shown, "pagination": {"page": page, "total_pages": pages}}

    def _runs(self, url: httpx.URL) -> list[Json]:
        after, before = url.params.get("start_date"), url.params.get("end_date")
        rows = [
            row
            for row in self.runs.get(url.path.split("/")[-2], [])
            if (not after or row["started_at"] >= after) and (not before or row["started_at"] <= before)
        ]
        random.Random(3).shuffle(rows)  # noqa: S311
        return rows

    @property
    def asked_for_runs(self) -> int:
        return sum(url.path.endswith("/runs") for url in self.asked)
