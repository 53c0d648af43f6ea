"""What an engine of the journal does. Each method is one transaction; every engine passes the same tests."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from quantinal_mcp.journal.records import Allowance, Intent, Match


class Journal(Protocol):
    """The intents of all accounts, for this process and for every other one that shares them.

    Every method raises `Misconfigured` where the journal cannot be used; then nothing was changed.
    """

    worker: str
    """This process, as `sender` and `owner` name it."""

    def now(self) -> float:
        """Return the journal's time: UTC seconds since 1970."""
        ...

    async def begin(self, intent: Intent, seen: Collection[str] | None, allowance: Allowance | None) -> float | None:
        """Write an intent down, before it is sent, and return what the allowance has left without it.

        Nothing is written, and None returned, where the tracker has an intent that `seen` does not name (refused
        ones aside): somebody began it after the caller looked. `seen` None begins it whatever there is.

        Raises:
            NotCovered: The allowance does not cover what it reserves.
        """
        ...

    async def of(self, account: str, tracker_id: str) -> list[Intent]:
        """Return a tracker's intents of the last day, oldest first.

        One whose sender died without an answer is `lost`; an owner who died owns nothing.
        """
        ...

    async def get(self, intent_id: str) -> Intent | None:
        """Return one intent as `of` does."""
        ...

    async def take(self, intent_id: str) -> bool:
        """Make this process the owner of an intent that has none, or whose owner has died; exactly one succeeds."""
        ...

    async def move(self, intent_id: str, **changes: float | str | None) -> bool:
        """Set `state`, `answered_at` or `unknown_at` of an intent, or `owner` to None if it is this process.

        False, and nothing is set, where the state has changed since: only what is `sent` becomes `lost`, and only what
        is `lost` is `given_up`. What is `refused` has no run, and reserves nothing.
        """
        ...

    async def claim(self, intent_id: str, run_id: str, match: Match) -> bool:
        """Give an intent its run, unless another one has it or this one has another.

        What the service itself named (`certain`) goes before what was found in a list: an intent that had it from there
        is lost again, and what was booked for it with it.
        """
        ...

    async def settle(self, account: str, charges: Mapping[str, tuple[float, bool]]) -> None:
        """Book what runs were charged, each with whether that is final; runs that no intent has are ignored.

        What is booked as final stays, and a negative charge is none.
        """
        ...

    async def committed(self, account: str, allowance: Allowance) -> float:
        """Return what counts against an allowance."""
        ...

    async def spend(self, answer: str) -> bool:
        """Use up a user's answer, known by its digest; False where it was used before, by whomever."""
        ...

    def exclusive(self, account: str, tracker_id: str) -> AbstractAsyncContextManager[None]:
        """Keep every other change of a tracker, and every trigger that is about to be sent, out."""
        ...

    async def intents(self, account: str | None, since: float) -> list[Intent]:
        """Return the intents begun since then, of one account or of all, oldest first."""
        ...

    async def reach(self) -> None:
        """Find out whether it can be reached, and make nothing."""
        ...

    async def aclose(self) -> None:
        """Let go of what this process owned, and close."""
        ...
