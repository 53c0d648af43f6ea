from __future__ import annotations

from typing import Any

import pytest
from trio.testing import MockClock


@pytest.fixture
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """asyncio, unless a test asks for `trio_virtual`: trio, on which sleeping takes no time."""
    if getattr(request, "param", "asyncio") == "trio_virtual":
        return ("trio", {"clock": MockClock(autojump_threshold=0)})
    return "asyncio"


@pytest.fixture(params=["legacy", "auto"])
def mode(request: pytest.FixtureRequest) -> str:
    """The protocol era of a client: each test meets both."""
    return request.param
