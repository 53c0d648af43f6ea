"""The two eras of the protocol, and the two kinds of time."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from trio.testing import MockClock

Mode = Literal["legacy", "auto"]
"""How the SDK's client connects: by the handshake of 2025-11-25, or as 2026-07-28 has it."""

MODERN = "2026-07-28"
HANDSHAKE = "2025-11-25"

both_eras = pytest.mark.parametrize("mode", ["legacy", "auto"])
virtual_time = pytest.mark.parametrize("anyio_backend", ["trio_virtual"], indirect=True)
"""Sleeping takes no time."""


def trio_virtual() -> tuple[str, dict[str, Any]]:
    """trio, on which time passes as soon as everybody waits for it."""
    return "trio", {"clock": MockClock(autojump_threshold=0)}
