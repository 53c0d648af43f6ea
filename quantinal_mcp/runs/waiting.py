"""Waiting for a run that somebody names, whoever began it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

from quantinal_mcp.errors import NotFound, QuantinalError
from quantinal_mcp.journal.protocol import Journal
from quantinal_mcp.models.runs import Run
from quantinal_mcp.runs import durations
from quantinal_mcp.runs.finding import Finder
from quantinal_mcp.runs.progress import Tell, telling
from quantinal_mcp.runs.reading import Runs
from quantinal_mcp.runs.watch import Going, Watch, Watches

Result = TypeVar("Result")


class Waits:
    """One account's waits for runs by their ids."""

    def __init__(self, journal: Journal, finder: Finder, runs: Runs, watches: Watches) -> None:
        self._journal = journal
        self._finder = finder
        self._runs = runs
        self._watches = watches

    async def glance(self, tracker_id: str, run_id: str, age: float) -> Run | Going:
        """Return a run that somebody named `age` seconds ago once it has ended, else how it goes; by one request
        to the service, as a rule.

        Raises what `QuantinalClient.get_run` raises for a lasting reason.
        """
        watch = self._watches.of(tracker_id, run_id, anyio.current_time() - age)
        return await self._readable(watch, lambda: self._watches.glance(watch))

    async def wait(self, tracker_id: str, run_id: str, deadline: float, tell: Tell) -> Run:
        """Return a run that somebody names once it has ended, or its state at `deadline`.

        Raises what `QuantinalClient.get_run` raises for a lasting reason.
        """
        watch = self._watches.of(tracker_id, run_id)
        async with telling(tell, watch.message):
            return await self._readable(watch, lambda: self._waited(watch, deadline))

    def deleted(self, tracker_id: str, run_id: str) -> None:
        """Take note that a run is gone, and not one that will be shown yet."""
        watch = self._watches.of(tracker_id, run_id)
        watch.run, watch.is_shown = None, True

    async def _waited(self, watch: Watch, deadline: float) -> Run:
        if watch.typical_seconds is None and not watch.is_typical_asked:
            watch.is_typical_asked = True
            with anyio.CancelScope(deadline=deadline):
                watch.typical_seconds = await self._typical(watch)
        return await self._watches.wait(watch, deadline)

    async def _typical(self, watch: Watch) -> float | None:
        """How long runs like this one took, if that can be read."""
        run = await self._watches.look(watch)
        if run is None or watch.is_finished:
            return None
        try:
            past = await self._runs.list(watch.tracker_id, {"status": "completed", "page": 1, "page_size": 50})
        except QuantinalError:
            return None
        return durations.typical(past["data"], durations.mode_of(run))

    async def _readable(self, watch: Watch, read: Callable[[], Awaitable[Result]]) -> Result:
        """Read a run; one that is not there may have been triggered just now, by another process too.

        Raises `Misconfigured` where that cannot be told, since the journal cannot be read.
        """
        try:
            return await read()
        except NotFound as error:
            for intent in await self._finder.records(watch.tracker_id):
                if intent.run_id == watch.run_id:
                    self._watches.of_trigger(intent, self._journal.now())
            if not watch.may_come(error):
                raise
        return await read()
