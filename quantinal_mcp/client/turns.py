"""Whose request goes to the service next: few at a time, and by turns."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import anyio

from quantinal_mcp.client.shares import Held, IsProven, Share

QUICK: Final = 8
"""So many quick requests at a time: httpx serves more of them a second so than with 32."""
SLOW_SECONDS: Final = 1.0
"""A request that has taken longer is not a quick one, and its turn is the next one's."""


@dataclass(eq=False, slots=True)
class _Turn:
    account: str
    has_come: anyio.Event = field(default_factory=anyio.Event)


class Turns:
    """Lets requests go in the order in which they come, but first those of accounts with fewer under way.

    Without turns, one account's requests that the service takes long for hold up everybody's, and so do many at once.
    """

    def __init__(self, share: Share, is_proven: IsProven) -> None:
        self._under_way = Held(share, is_proven)
        self._waiting: list[_Turn] = []
        self._quick: OrderedDict[_Turn, float] = OrderedDict()
        """The requests under way that have not taken long yet, and since when they are: the earliest first."""

    @asynccontextmanager
    async def taken(self, account: str) -> AsyncGenerator[None]:
        """Wait for a turn, and have it."""
        turn = _Turn(account)
        self._waiting.append(turn)
        try:
            self._let_go()
            while not turn.has_come.is_set():
                earliest = next(iter(self._quick.values()), float("inf"))
                with anyio.CancelScope(deadline=earliest + SLOW_SECONDS):
                    await turn.has_come.wait()
                self._let_go()
            yield
        finally:
            self._quick.pop(turn, None)
            if turn.has_come.is_set():
                self._under_way.give_back(account, 1)
            else:
                self._waiting.remove(turn)
            self._let_go()

    def _let_go(self) -> None:
        now = anyio.current_time()
        while self._quick and next(iter(self._quick.values())) <= now - SLOW_SECONDS:
            self._quick.popitem(last=False)
        while len(self._quick) < QUICK and (turn := self._next()) is not None:
            self._waiting.remove(turn)
            self._quick[turn] = now
            turn.has_come.set()

    def _next(self) -> _Turn | None:
        """Return the waiting turn that is to come, as one that is under way."""
        by_account = sorted(self._waiting, key=lambda turn: self._under_way.of(turn.account))
        return next((turn for turn in by_account if not self._under_way.take(turn.account, 1)), None)
