"""Writing down what became of triggers, also where the journal fails at that moment."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial

from quantinal_mcp.errors import QuantinalError
from quantinal_mcp.journal.protocol import Journal

logger = logging.getLogger(__name__)

_Writing = Callable[[], Awaitable[bool]]


class Notes:
    """What became of one account's triggers. What cannot be written down now is kept, and written before anything else.

    Nothing here raises what the journal does: a run that is known is told to whoever waits for it all the same.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
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

    async def catch_up(self) -> None:
        """Write what is kept, as far as the journal lets it."""
        while self._kept:
            first = self._kept[0]
            try:
                await first[1]()
            except QuantinalError:
                return
            if self._kept and self._kept[0] is first:
                self._kept.popleft()

    async def _write(self, intent_id: str, write: _Writing) -> bool:
        await self.catch_up()
        if not self._kept:
            try:
                return await write()
            except QuantinalError as error:
                logger.warning("what became of a trigger could not be written down yet: %s", error)
        self._kept.append((intent_id, write))
        return True
