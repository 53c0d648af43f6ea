"""Waiting for a run to end: one poller for all who wait for the same run."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

import anyio

from quantinal_mcp.client.retry import is_retryable
from quantinal_mcp.errors import ApiError, NotFound, QuantinalError, RequestTimeout
from quantinal_mcp.journal.records import Intent
from quantinal_mcp.models.runs import Run, has_ended
from quantinal_mcp.runs import durations
from quantinal_mcp.runs.reading import Runs

_MOST_WATCHED = 256
_LOOK_SECONDS = 10.0
_TROUBLED_SECONDS = 10.0
_POLLS_A_SECOND = 2.5
"""Below the 200 requests a minute that the documents name as a limit, in other places."""
_LEFT_SECONDS = 60.0
"""A run that is due for so long is not waited for any more."""
_YOUNG_SECONDS = 120.0
"""So long a run that the service named may not be readable yet; an older one that is not there was deleted."""


@dataclass(frozen=True, slots=True)
class Going:
    """A run that has not ended: what a person reads of it, and when, in seconds, it is worth asking again.

    `seen` is how many seconds ago it was last read.
    """

    message: str
    again_in: float
    seen: float = 0.0


@dataclass(eq=False, slots=True)
class Watch:
    """What is known of a run that somebody waits for. Times are on the event loop's clock, in seconds.

    `since` is when it was triggered if `is_ours`, that is if the account's journal has its trigger, else when it was
    first asked for.
    """

    tracker_id: str
    run_id: str
    since: float
    is_ours: bool = False
    is_shown: bool = False
    typical_seconds: float | None = None
    is_typical_asked: bool = False
    run: Run | None = None
    failure: QuantinalError | None = None
    due: float = 0.0
    seen: float | None = None
    polls: int = 0
    polling: anyio.Lock = field(default_factory=anyio.Lock)

    @property
    def is_finished(self) -> bool:
        """Whether the run has completed or failed."""
        return self.run is not None and has_ended(self.run)

    @property
    def is_young(self) -> bool:
        """Whether it was triggered so lately that the service may not show it yet, or not each time."""
        return self.is_ours and anyio.current_time() - self.since <= _YOUNG_SECONDS

    def may_come(self, error: QuantinalError) -> bool:
        """Whether the service, which answered with this error, may yet show the run, and has not done so before."""
        is_missing = isinstance(error, NotFound) and error.is_refusal and "tracker" not in error.message.lower()
        return is_missing and self.is_young and not self.is_shown

    @property
    def trouble(self) -> QuantinalError | None:
        """Why it could not be read the last time; that it is not shown yet is none."""
        return None if isinstance(self.failure, NotFound) else self.failure

    def message(self) -> str:
        """What a person reads while waiting."""
        age = durations.spell(anyio.current_time() - self.since)
        status = self.run["status"] if self.run else "waiting"
        if self.typical_seconds is None:
            return f"{status} {age}"
        return f"{status} {age}, such runs usually take about {durations.spell(self.typical_seconds)}"


class Watches:
    """The runs that are being waited for, or lately were, so that a wait goes on where the last one stopped."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs
        self._watches: OrderedDict[tuple[str, str], Watch] = OrderedDict()

    def of(self, tracker_id: str, run_id: str, since: float | None = None) -> Watch:
        """Return the watch of a run, which is asked for since now, if not longer."""
        key = (tracker_id, run_id)
        watch = self._watches.get(key)
        if watch is None:
            begun = anyio.current_time() if since is None else since
            watch = self._watches[key] = Watch(tracker_id, run_id, begun)
            if len(self._watches) > _MOST_WATCHED:
                self._watches.popitem(last=False)
        self._watches.move_to_end(key)
        return watch

    def of_trigger(self, intent: Intent, now: float) -> Watch:
        """Return the watch of a trigger's run, which was estimated then; `now` is on the journal's clock."""
        assert intent.run_id is not None  # noqa: S101 - only what is known is watched
        watch = self.of(intent.tracker_id, intent.run_id)
        watch.since, watch.is_ours = anyio.current_time() - max(0.0, now - intent.begun_at), True
        watch.typical_seconds, watch.is_typical_asked = intent.typical_seconds or watch.typical_seconds, True
        return watch

    async def look(self, watch: Watch) -> Run | None:
        """Read the run now, within 10 s, and return it as far as it is known.

        Raises what `QuantinalClient.get_run` raises for a lasting reason.
        """
        with anyio.move_on_after(_LOOK_SECONDS):
            async with watch.polling:
                if not watch.is_finished:
                    await self._poll(watch)
        return watch.run

    async def glance(self, watch: Watch) -> Run | Going:
        """Return the run once it has ended; read for that if it is due, by one of all who ask, and within 10 s.

        A look that fails for a passing reason is due again later than usual, in 10 s at the earliest.
        Raises what `QuantinalClient.get_run` raises for a lasting reason.
        """
        with anyio.move_on_after(_LOOK_SECONDS) as looking:
            async with watch.polling:
                if watch.due <= anyio.current_time() and not watch.is_finished:
                    await self._poll(watch)
                    if watch.trouble is not None:
                        watch.due = max(watch.due, anyio.current_time() + _TROUBLED_SECONDS)
        now = anyio.current_time()
        if looking.cancelled_caught:
            watch.failure = RequestTimeout("The run could not be read in time.")
            watch.due = max(watch.due, now + _TROUBLED_SECONDS)
        if watch.run is not None and watch.is_finished:
            return watch.run
        trouble = f"; it cannot be read just now [{watch.trouble.code}]" if watch.trouble is not None else ""
        return Going(
            watch.message() + trouble, watch.due - now, now - (watch.since if watch.seen is None else watch.seen)
        )

    async def wait(self, watch: Watch, deadline: float) -> Run:
        """Return the run once it has ended, or as it was last seen at `deadline`; one look is taken if it is
        due or nothing is known yet.

        A look that fails for a passing reason does not end the wait, unless the service asks for a longer one.
        A new run that the service does not show yet is pending.
        Raises what `QuantinalClient.get_run` raises for a lasting one, or if not even one look succeeded.
        """
        if watch.run is None or watch.due <= anyio.current_time():
            await self.look(watch)
        if watch.run is None and watch.failure is not None and watch.due > deadline:
            return _known(watch)
        with anyio.CancelScope(deadline=deadline):
            while not watch.is_finished:
                await anyio.sleep_until(watch.due)
                async with watch.polling:
                    if watch.due <= anyio.current_time() and not watch.is_finished:
                        await self._poll(watch)
        return _known(watch)

    async def _poll(self, watch: Watch) -> None:
        watch.polls += 1
        asked = 0.0
        try:
            watch.run = await self._runs.get(watch.tracker_id, watch.run_id)
            watch.failure, watch.is_shown = None, True
            watch.seen = anyio.current_time()
        except QuantinalError as error:
            if not (watch.may_come(error) or is_retryable(error, repeatable=True)):
                raise
            watch.failure = error
            asked = (error.retry_after if isinstance(error, ApiError) else None) or 0.0
        self._set_due(watch, asked)

    def seen(self, watch: Watch, run: Run) -> None:
        """Take note of the run as another answer just showed it, which is as good as a look."""
        watch.run = run
        watch.seen = anyio.current_time()
        self._set_due(watch, 0.0)

    def _set_due(self, watch: Watch, at_least: float) -> None:
        now = anyio.current_time()
        mode = durations.mode_of(watch.run) if watch.run else "basic"
        expected = watch.typical_seconds or durations.likely(mode)
        # However many runs an account waits for at once, the service is not asked more often.
        awaited = sum(not other.is_finished and now - other.due < _LEFT_SECONDS for other in self._watches.values())
        watch.due = now + max(at_least, awaited / _POLLS_A_SECOND, durations.pause(now - watch.since, expected))


def pending(watch: Watch) -> Run:
    """Return a run that the service has named and not shown yet."""
    return {"run_id": watch.run_id, "tracker_id": watch.tracker_id, "status": "pending"}


def _known(watch: Watch) -> Run:
    if watch.run is None and not isinstance(watch.failure, NotFound):
        raise watch.failure or RequestTimeout("The run could not be read in time.", "Call again.")
    return watch.run or pending(watch)
