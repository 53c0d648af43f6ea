"""What is asked of the service, before anything is known of how it travels."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import anyio

from quantinal_mcp.client.retry import TOTAL_SECONDS

LARGEST_BODY = 8 * 1024 * 1024
"""Bytes of an answer that are read at most."""


@dataclass(frozen=True, slots=True)
class Request:
    """What to send; `seconds` bounds all attempts together, and `hear` is told the headers of each answer.

    Before each attempt but the first `pause` is awaited, which is given seconds, and then `before_again`. What that
    raises ends them, unless it is an error after which they go on; it has to say that nothing was sent.
    """

    method: Literal["GET", "POST", "PATCH", "DELETE"]
    path: str
    params: Mapping[str, str | int | float] = field(default_factory=dict[str, str | int | float])
    json: Mapping[str, Any] | None = None
    form: Mapping[str, str] | None = None
    file: tuple[str, bytes, str] | None = None
    seconds: float = TOTAL_SECONDS
    hear: Callable[[Mapping[str, str]], None] | None = None
    pause: Callable[[float], Awaitable[None]] = anyio.sleep
    before_again: Callable[[], Awaitable[None]] | None = None

    @property
    def repeatable(self) -> bool:
        """Whether executing it twice leaves the same state as once: all but POST."""
        return self.method != "POST"
