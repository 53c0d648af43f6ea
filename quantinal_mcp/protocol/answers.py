"""Answers to questions: sealed, so that any process can take them, and spent by one call."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, cast

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.request_state import AESGCMRequestStateCodec

from quantinal_mcp.accounts.account import Account
from quantinal_mcp.errors import NeedsConsent
from quantinal_mcp.protocol.caller import AppContext

ANSWER_SECONDS = 600.0
"""How long a question may wait for its answer."""

_DIGEST = "quantinal/answer"


class LateCodec:
    """The SDK's sealing of questions, with keys that are looked for when the first question is asked."""

    def __init__(self, keys: Callable[[], Sequence[bytes | str]]) -> None:
        self._keys = keys

    @cached_property
    def _codec(self) -> AESGCMRequestStateCodec:
        return AESGCMRequestStateCodec(self._keys())

    def use(self, keys: Sequence[bytes | str]) -> None:
        """Seal with these instead, from before the first question on."""
        self._keys = lambda: keys

    def seal(self, payload: bytes) -> str:
        """Return `payload` sealed."""
        return self._codec.seal(payload)

    def unseal(self, token: str) -> bytes:
        """Return what was sealed; raises `InvalidRequestState` for what was not, or with another key."""
        return self._codec.unseal(token)


async def digest_answer(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """Middleware, the outermost: put the digest of the sealed question that a request answers beside its arguments.

    What a tool gets to see of it is unsealed, and equal for equal questions; only the seal tells one asking from the
    next. A request that carries such a digest of its own does not get through with it.
    """
    params = {name: value for name, value in (ctx.params or {}).items() if name != _DIGEST}
    seal = params.get("requestState")
    if isinstance(seal, str):
        params[_DIGEST] = hashlib.sha256(seal.encode("utf-8", "surrogatepass")).hexdigest()
    return await call_next(replace(ctx, params=params) if ctx.params is not None else ctx)


async def spend(ctx: AppContext, caller: Account) -> None:
    """Use up the answer that this request carries, if it carries one.

    Raises:
        NeedsConsent: It was used before, in this process or in another one that shares the journal.
    """
    answer = cast("Mapping[str, Any]", ctx.request_context.params or {}).get(_DIGEST)
    if answer is not None and not await caller.journal.spend(answer):
        raise NeedsConsent(
            "This answer was already used for another call.", "Call again without it, and the user is asked anew."
        )
