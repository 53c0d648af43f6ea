from __future__ import annotations

from typing import Any

import pytest

from help.eras import trio_virtual


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Time passes as soon as everybody waits for it."""
    return trio_virtual()
