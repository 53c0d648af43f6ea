"""How much of one thing each account may hold, so that there is some for the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

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


class Held:
    """How much of one thing each account holds."""

    def __init__(self, share: Share, is_proven: IsProven) -> None:
        self._share = share
        self._is_proven = is_proven
        self._by_account: Counter[str] = Counter()

    def of(self, account: str) -> int:
        """Return how much `account` holds."""
        return self._by_account[account]

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
