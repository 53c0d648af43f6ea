"""How much callers can make this server hold, in numbers; SECURITY.md states them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

MIB: Final = 1024 * 1024

Refusal = Literal[429, 503]
"""The account has its share; or there is no room, whoever asks."""

IsProven = Callable[[str], bool]
"""Whether the service has accepted an account's token; accounts are known by their tokens' digests."""


@dataclass(frozen=True, slots=True)
class Share:
    """What one account may hold of something, all together whose tokens are unproven, and all in all."""

    account: int
    unproven: int
    total: int


@dataclass(frozen=True, slots=True)
class Bounds:
    """The bounds of one server: bytes, seconds, and counts."""

    largest_body: int = 16 * MIB
    """A 10 MB upload takes 14 in base64, and the call around it some more."""
    body_seconds: float = 30.0
    most_values: int = 200_000
    """In one body: a thousand rows, as many as the service takes, of two hundred values."""
    calls: Share = Share(account=64, unproven=128, total=512)
    streams: Share = Share(account=32, unproven=64, total=256)
    """Those that carry a server's own messages, and stay open."""
    bytes: Share = Share(account=32 * MIB, unproven=16 * MIB, total=48 * MIB)
    """Of bodies larger than a small one; the small ones of all calls take a quarter as much."""
    small_body: int = 32 * 1024
    sessions: Share = Share(account=64, unproven=1000, total=1000)
    idle_seconds: float = 1800.0
    """How long a session may be without a request."""


class Held:
    """How much of one thing each account holds."""

    def __init__(self, share: Share, is_proven: IsProven) -> None:
        self._share = share
        self._is_proven = is_proven
        self._by_account: Counter[str] = Counter()

    def take(self, account: str, amount: int) -> Refusal | None:
        """Let `account` hold `amount` more, or say why it may not."""
        if self._by_account[account] + amount > self._share.account:
            return 429
        if self._by_account.total() + amount > self._share.total:
            return 503
        if not self._is_proven(account) and self._unproven() + amount > self._share.unproven:
            return 503
        self._by_account[account] += amount
        return None

    def give_back(self, account: str, amount: int) -> None:
        """Take back what `account` held."""
        self._by_account[account] -= amount
        if self._by_account[account] <= 0:
            del self._by_account[account]

    def _unproven(self) -> int:
        return sum(amount for account, amount in self._by_account.items() if not self._is_proven(account))
