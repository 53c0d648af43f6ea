"""What the journal keeps: plain, frozen records. Times are UTC seconds since 1970, amounts quants.

Nothing of content is in them: ids of trackers and runs, digests of accounts and answers, times and amounts.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

State = Literal["sent", "lost", "known", "refused", "given_up"]
"""`sent`: it is on disk, and may have left; no answer yet. `lost`: its answer will not come. `known`: its run is.
`refused`: certainly not executed, nothing is reserved any more. `given_up`: no run of it ever showed up."""

Match = Literal["certain", "likely"]
"""Whether the service named the run, or it was found in the list."""

DAY_SECONDS = 86_400.0
KEPT_SECONDS = 100 * DAY_SECONDS
LEASE_SECONDS = 10.0
"""For how long a process counts as living after it was last heard of, where a clock has to tell."""

_DIGEST_BYTES = 8


@dataclass(frozen=True)
class Snapshot:
    """The runs that a tracker listed before a trigger was sent, as eight bytes of each id's digest, sorted."""

    packed: bytes

    @classmethod
    def of(cls, run_ids: Iterable[str]) -> Snapshot:
        """Return the snapshot of these runs."""
        return cls(b"".join(sorted(set(map(_digest, run_ids)))))

    @cached_property
    def _digests(self) -> frozenset[bytes]:
        packed = self.packed
        return frozenset(packed[at : at + _DIGEST_BYTES] for at in range(0, len(packed), _DIGEST_BYTES))

    def __contains__(self, run_id: str) -> bool:
        return _digest(run_id) in self._digests

    def __len__(self) -> int:
        return len(self.packed) // _DIGEST_BYTES


def _digest(run_id: str) -> bytes:
    return hashlib.sha256(run_id.encode()).digest()[:_DIGEST_BYTES]


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """One trigger of ours, sent at most once.

    `sender` is the process that sends it; `owner` the one that works on it for a caller, None when nobody does.
    `reserved` counts against the budget until `charged` is known. `answered_at` is when a caller was told its run,
    `unknown_at` when one was told that there is none.
    """

    intent_id: str
    account: str
    tracker_id: str
    sync: bool
    begun_at: float
    before: Snapshot
    reserved: float
    sender: str
    owner: str | None
    estimated: float | None = None
    at_least: float | None = None
    typical_seconds: float | None = None
    state: State = "sent"
    run_id: str | None = None
    match: Match = "certain"
    unknown_at: float | None = None
    answered_at: float | None = None
    charged: float | None = None
    settled_at: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether a caller is still to learn what became of it."""
        return self.answered_at is None and self.state in {"sent", "lost", "known"}

    @property
    def is_lost(self) -> bool:
        """Whether its answer will not come and its run is not known."""
        return self.state == "lost"


@dataclass(frozen=True, slots=True)
class Allowance:
    """An operator's ceiling for what is begun from `since` until `until`, both UTC seconds since 1970."""

    limit: float
    since: float
    until: float


class NotCovered(Exception):
    """An allowance does not cover an intent; `left` is what it has."""

    def __init__(self, left: float) -> None:
        super().__init__(left)
        self.left = max(0.0, left)


def new_id() -> str:
    """Return an id that nobody else has."""
    return secrets.token_hex(12)


def account_of(token: str) -> str:
    """Return the digest by which an account is known."""
    return hashlib.sha256(token.encode()).hexdigest()
