from __future__ import annotations

import pytest


@pytest.fixture(params=["legacy", "auto"])
def mode(request: pytest.FixtureRequest) -> str:
    """The protocol era of a client: each test meets both."""
    return request.param
