"""Which tokens the service has accepted: what others than these can make a server hold is little."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import Final

_MOST: Final = 10_000


class Accepted:
    """The digests of tokens with which the service has answered a request with success; the last 10,000."""

    def __init__(self) -> None:
        self._digests: OrderedDict[str, None] = OrderedDict()

    def __contains__(self, digest: str) -> bool:
        return digest in self._digests

    def note(self, token: str) -> None:
        """Remember that the service takes this token."""
        digest = digest_of(token)
        self._digests[digest] = None
        self._digests.move_to_end(digest)
        if len(self._digests) > _MOST:
            self._digests.popitem(last=False)


def digest_of(token: str) -> str:
    """Return by what a token is known where it is not used."""
    return hashlib.sha256(token.encode()).hexdigest()
