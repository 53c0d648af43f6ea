"""Writing down what became of triggers, also where the journal fails at that moment."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial

import anyio
from anyio.abc import TaskGroup

from quantinal_mcp.errors import QuantinalError
from quantinal_mcp.journal.protocol import Journal

logger = logging.getLogger(__name__)

_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 30.0

_Writing = Callable[[], Awaitable[bool]]


class Notes:
    """What became of one account's triggers. What cannot be written down now is kept, and written before anything else.

    Nothing here raises what the journal does: a run that is known is told to whoever waits for it all the same. `tasks`
    is where it goes on trying: other processes go by what is written down.
    """

    def __init__(self, journal: Journal, tasks: TaskGroup) -> None:
        self._journal = journal
        self._tasks = tasks
        self._kept: deque[tuple[str, _Writing]] = deque()

    @property
    def are_written(self) -> bool:
        """Whether nothing at all is still to be written."""
        return not self._kept

    def is_written(self, intent_id: str) -> bool:
        """Whether nothing of that trigger is still to be written."""
        return all(kept != intent_id for kept, _ in self._kept)

    async def move(self, intent_id: str, **changes: float | str | None) -> None:
        """Do what `Journal.move` does."""
        await self._write(intent_id, partial(self._journal.move, intent_id, **changes))

    async def claim(self, intent_id: str, run_id: str) -> bool:
        """Do what `Journal.claim` does with the run that the service named; False if it is another trigger's."""
        if await self._write(intent_id, partial(self._journal.claim, intent_id, run_id, "certain")):
            return True
        try:
            return await self._journal.get(intent_id) is None  # forgotten with its journal: then nobody has it
        except QuantinalError:
            return False

    async def catch_up(self) -> bool:
        """Write what is kept, as far as the journal lets it; say whether that was all."""
        while self._kept:
            first = self._kept[0]
            try:
                await first[1]()
            except QuantinalError:
                return False
            if self._kept and self._kept[0] is first:
                self._kept.popleft()
        return True

    async def _write(self, intent_id: str, write: _Writing) -> bool:
        await self.catch_up()
        if not self._kept:
            try:
                return await write()
            except QuantinalError as error:
                logger.warning("what became of a trigger could not be written down yet: %s", error)
        self._kept.append((intent_id, write))
        if len(self._kept) == 1:
            self._tasks.start_soon(self._keep_trying)
        return True

    async def _keep_trying(self) -> None:
        pause = _PAUSE_SECONDS
        while self._kept:
            await anyio.sleep(pause)
            await self.catch_up()
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
