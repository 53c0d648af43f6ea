"""How much callers can make this server hold, in numbers; SECURITY.md states them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from quantinal_mcp.client.shares import Share

MIB: Final = 1024 * 1024


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
