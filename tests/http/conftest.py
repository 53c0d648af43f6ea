"""What the tests of the HTTP door share: a service with two accounts."""

from __future__ import annotations

import pytest

from help.seeded import ANN, BEN
from quantinal_mcp.sandbox import Sandbox


@pytest.fixture
def sandbox() -> Sandbox:
    return Sandbox(tokens=(ANN, BEN), sync_limit=0.3)
