"""What a flood of requests may write to the log: the same thing a few times a minute, and then how often it was."""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Final

_SECONDS: Final = 60.0
_TIMES: Final = 5


class Sparing(logging.Filter):
    """Lets a warning or error pass five times a minute; what is the same is said at the same place in the code."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._since: defaultdict[tuple[str, int], tuple[float, int]] = defaultdict(lambda: (-_SECONDS, 0))

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether a record is written; the first one after a silence tells how many were not."""
        if record.levelno < logging.WARNING:
            return True
        place = (record.pathname, record.lineno)
        begun, times = self._since[place]
        now = self._clock()
        if now - begun < _SECONDS:
            self._since[place] = (begun, times + 1)
            return times < _TIMES
        self._since[place] = (now, 1)
        if times > _TIMES:
            record.msg = f"{record.getMessage()} (and {times - _TIMES} more in the last minutes)"
            record.args = None
        return True
