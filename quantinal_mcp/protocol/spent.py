"""Answers that were used: an accepted question pays for one call."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from contextvars import ContextVar

import anyio
from mcp.server.request_state import AESGCMRequestStateCodec

from quantinal_mcp.errors import NeedsConsent

ANSWER_SECONDS = 600.0
"""How long a question may wait for its answer."""

_presented: ContextVar[bytes | None] = ContextVar("presented_answer", default=None)


class RecordingCodec(AESGCMRequestStateCodec):
    """The SDK's sealing of questions, which also notes which sealed question this request answers.

    What a tool gets to see is the unsealed state, which is equal for equal questions; only the seal tells one asking
    from the next.
    """

    def __init__(self, keys: Sequence[bytes | str]) -> None:
        super().__init__(keys)

    def unseal(self, token: str) -> bytes:
        """Unseal, and remember the seal for the rest of this request."""
        payload = super().unseal(token)
        _presented.set(hashlib.sha256(token.encode()).digest())
        return payload


class SpentAnswers:
    """The sealed answers that were used in this process, for as long as they would be accepted."""

    def __init__(self) -> None:
        self._spent: OrderedDict[bytes, float] = OrderedDict()

    def spend(self) -> None:
        """Use up the answer that this request carries, if it carries one.

        Raises:
            NeedsConsent: It was used before.
        """
        seal = _presented.get()
        if seal is None:
            return
        now = anyio.current_time()
        while self._spent and next(iter(self._spent.values())) < now - ANSWER_SECONDS:
            self._spent.popitem(last=False)
        if seal in self._spent:
            raise NeedsConsent(
                "This answer was already used for another call.", "Call again without it, and the user is asked anew."
            )
        self._spent[seal] = now
