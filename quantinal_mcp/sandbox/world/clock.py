"""The sandbox's wall clock, driven by the event loop's time."""

from datetime import datetime, timedelta

import anyio


class Clock:
    """Wall time: a start moment plus what the event loop's clock says has passed since first use."""

    def __init__(self, start: datetime) -> None:
        self._start = start
        self._origin: float | None = None
        self._elapsed = 0.0

    def now(self) -> datetime:
        """The present; outside an event loop, the last moment that was seen inside one."""
        try:
            current = anyio.current_time()
        except RuntimeError:
            return self._start + timedelta(seconds=self._elapsed)
        if self._origin is None:
            self._origin = current
        self._elapsed = max(self._elapsed, current - self._origin)
        return self._start + timedelta(seconds=self._elapsed)


def stamp(moment: datetime) -> str:
    """A moment as the API writes it: UTC, whole seconds, `Z`."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
