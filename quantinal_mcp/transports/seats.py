"""Who is being served: so many requests for each account and in all, and who goes when room is needed."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass

from quantinal_mcp.client.shares import Held, IsProven, Refusal, Share


@dataclass(eq=False, slots=True)
class Seat:
    """One request's. Its `leave` ends the request; without one it cannot be asked to leave."""

    account: str
    leave: Callable[[], None] | None


class Seats:
    """The seats for one kind of request, the longest-held first."""

    def __init__(self, share: Share, is_proven: IsProven) -> None:
        self._held = Held(share, is_proven)
        self._is_proven = is_proven
        self._taken: dict[Seat, None] = {}

    @contextmanager
    def taken(self, account: str, leave: Callable[[], None]) -> Generator[Seat | Refusal]:
        """Hold a seat, if there is one: at need the seat of an account that is not proven, while it may be ended."""
        refused = self._held.take(account, 1)
        if refused == 503 and self._make_room():
            refused = self._held.take(account, 1)
        if refused:
            yield refused
            return
        seat = Seat(account, leave)
        self._taken[seat] = None
        try:
            yield seat
        finally:
            self._free(seat)

    def _make_room(self) -> bool:
        for seat in self._taken:
            if seat.leave and not self._is_proven(seat.account):
                seat.leave()
                self._free(seat)
                return True
        return False

    def _free(self, seat: Seat) -> None:
        if seat in self._taken:
            del self._taken[seat]
            self._held.give_back(seat.account, 1)
