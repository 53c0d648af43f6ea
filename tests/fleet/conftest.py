from __future__ import annotations

from collections.abc import Generator

import pytest

from help.postgres import Postgres, postgres


@pytest.fixture(scope="session")
def server() -> Generator[Postgres]:
    with postgres() as running:
        yield running
