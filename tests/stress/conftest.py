from __future__ import annotations

from typing import Any

import pytest
from trio.testing import MockClock


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Time passes as soon as everybody waits for it."""
    return "trio", {"clock": MockClock(autojump_threshold=0)}
