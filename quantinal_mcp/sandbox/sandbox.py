"""The sandbox's public face."""

import re
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from starlette.types import ASGIApp

from quantinal_mcp.sandbox.endpoints.api import build_api
from quantinal_mcp.sandbox.wire.control import build_control
from quantinal_mcp.sandbox.wire.faults import Faults
from quantinal_mcp.sandbox.wire.front import Front, RecordedRequest
from quantinal_mcp.sandbox.wire.transport import SandboxTransport
from quantinal_mcp.sandbox.world.clock import Clock
from quantinal_mcp.sandbox.world.options import Options
from quantinal_mcp.sandbox.world.service import SERVICES
from quantinal_mcp.sandbox.world.world import World


class Sandbox:
    """A simulated Quantinal API with data of its own.

    Its paths are /v1/api/...; each token has an isolated account, and the same seed
    and start give the same data. Seconds are real ones unless said otherwise.

    - `service`: which service to play: `documented`, or the newer `v0.3` with `zen`, other prices and no `visibility`.
    - `start`: the wall time at the first request; now, if not given.
    - `time_scale`: nominal durations (a basic run takes 30 to 90 s) are divided by it.
    - `sync_limit`: after this long a sync trigger answers 504; its run goes on.
    - `listing_delay`: how long a new run is missing from the list of runs.
    - `shuffle_lists`: runs are listed in a fixed but arbitrary order, not newest first.
    - `balance`: quants in each account.
    - `rate_limits`: enforce the documented limits per minute.
    - `skills_forbidden`: skills cannot be listed (403).
    - `pending_seconds`: between a run's creation and its start.
    - `clock_skew`: how far the sandbox's clock is ahead.

    A run's `context={"sandbox": {"seconds": 12.5, "fail": true, "score": 40}}` steers how
    long it takes from its start (not scaled) and how it ends.
    """

    def __init__(
        self,
        *,
        service: str = "documented",
        seed: int = 7,
        start: datetime | None = None,
        time_scale: float = 15.0,
        sync_limit: float = 3.0,
        listing_delay: float = 0.0,
        shuffle_lists: bool = False,
        tokens: tuple[str, ...] = ("qapi_sandbox",),
        balance: float = 100.0,
        rate_limits: bool = True,
        skills_forbidden: bool = False,
        pending_seconds: float = 0.3,
        clock_skew: float = 0.0,
    ) -> None:
        begins = (start or datetime.now(UTC)).astimezone(UTC) + timedelta(seconds=clock_skew)
        if service not in SERVICES:
            raise ValueError(f"service must be one of {', '.join(SERVICES)}, not {service!r}")
        options = Options(
            service=SERVICES[service],
            seed=seed,
            start=begins,
            time_scale=time_scale,
            sync_limit=sync_limit,
            listing_delay=listing_delay,
            shuffle_lists=shuffle_lists,
            tokens=tuple(tokens),
            balance=balance,
            rate_limits=rate_limits,
            skills_forbidden=skills_forbidden,
            pending_seconds=pending_seconds,
        )
        self.faults = Faults()
        self.world = World(options, Clock(begins))
        self.requests: list[RecordedRequest] = []
        """Every request to the API so far."""
        control = build_control(self.world, self.faults, self.requests)
        self._front = Front(self.world, self.faults, build_api(self.world), control, self.requests)

    @property
    def app(self) -> ASGIApp:
        """The ASGI app."""
        return self._front

    def transport(self) -> httpx.AsyncBaseTransport:
        """A transport for httpx that runs the app in process."""
        return SandboxTransport(self._front)

    def serve(self, port: int = 0) -> AbstractAsyncContextManager[str]:
        """Serve on loopback while the context lasts (asyncio only); yields the base URL."""
        from quantinal_mcp.sandbox.serving import serve  # noqa: PLC0415 - uvicorn is slow to import

        return serve(self._front, port)

    def count(self, method: str, path: str) -> int:
        """How many requests of that method had a path in which the pattern is found."""
        return sum(one.method == method and re.search(path, one.path) is not None for one in self.requests)

    def runs(self, token: str | None = None) -> list[dict[str, Any]]:
        """All runs of an account (of the first token, if none is given), oldest first.

        Each is as the API shows it, with what it keeps to itself under `internal`:
        `origin` (`history`, `api`, `elsewhere`), `created_at`, `ends_at`, `cost`, `context`.
        """
        trackers = self.world.account(token).trackers.values()
        runs = sorted((run for one in trackers for run in one.runs.values()), key=lambda run: run.created_at)
        return [run.revealed(self.world.clock.now()) for run in runs]

    def charged(self, token: str | None = None) -> float:
        """Quants that runs begun since the start have cost an account."""
        return self.world.account(token).charged

    def balance(self, token: str | None = None) -> float:
        """Quants an account has left."""
        return self.world.account(token).balance

    def begin_run(self, tracker_id: str, trigger_type: str = "scheduled", *, sync: bool = False) -> dict[str, Any]:
        """Begin a run as the schedule or somebody else would; answers it as `runs` does.

        Raises LookupError for an unknown tracker, ApiError (402) when quants are lacking.
        """
        return self.world.begin_run(tracker_id, trigger_type, sync=sync)
