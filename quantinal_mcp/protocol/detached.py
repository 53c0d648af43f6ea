"""Calls that are let go while their run goes on, because their caller can come back for its result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

import anyio

from quantinal_mcp.journal.records import Intent
from quantinal_mcp.protocol.caller import AppContext

DETACHED: Final = "quantinal/detached"
"""Where a request's parameters hold its `Detached`; what a client puts there is JSON, and counts for nothing."""

HELD_SECONDS = 3.0
"""How long a call is held once its run is on its way: who has its result by then is spared the detour."""

LONGEST_HOLD = 30.0
"""How long, at most, it may take to send a trigger, in seconds."""


@dataclass(frozen=True, slots=True)
class Followed:
    """The run that a call is about: of a trigger (`intent_id`), or one that was named (`run_id`)."""

    tool: str
    tracker_id: str
    intent_id: str | None = None
    run_id: str | None = None
    took_over: bool = False


@dataclass(eq=False, slots=True)
class Detached:
    """A call that ends by `scope` being cancelled, 3 s after it is known which run it follows."""

    scope: anyio.CancelScope
    followed: Followed | None = None

    def triggers(self, intent: Intent | None, took_over: bool) -> None:
        """The call is about this trigger, which is on disk; None if that came to nothing."""
        if intent is None:
            if not self.scope.cancel_called:  # otherwise its caller is on the way to be told of it
                self.followed, self.scope.deadline = None, float("inf")
        else:
            self._hold(Followed("trigger_run", intent.tracker_id, intent_id=intent.intent_id, took_over=took_over))

    def waits(self, tracker_id: str, run_id: str) -> None:
        """The call waits for this run."""
        self._hold(Followed("wait_for_run", tracker_id, run_id=run_id))

    def _hold(self, followed: Followed) -> None:
        if self.followed is None:
            self.scope.deadline = anyio.current_time() + HELD_SECONDS
        self.followed = followed


def detaching(ctx: AppContext, wait_seconds: float | None) -> Detached | None:
    """Return how a call may be let go; None where it may not, or says itself how long it waits."""
    detached = cast("Mapping[str, Any]", ctx.request_context.params or {}).get(DETACHED)
    return detached if isinstance(detached, Detached) and wait_seconds is None else None
