"""Several owners of one journal, in any order of steps, with deaths between any two: what is promised stays true."""

from __future__ import annotations

import os
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, settings

from help.journals import memory
from help.owners import Owners
from help.postgres import Postgres
from quantinal_mcp.journal.engine import Engine
from quantinal_mcp.journal.postgres import PostgresJournal


class OneInMemory(Owners):
    """The other engine, which one process has."""

    most = 1

    def make(self) -> Engine:
        return memory(self.clock)


class InPostgres(Owners):
    """Replicas on several machines."""

    server: Postgres

    def __init__(self) -> None:
        super().__init__()
        self.address = self.server.database()

    def make(self) -> Engine:
        return PostgresJournal(self.address, self.clock)


often = settings(
    max_examples=int(os.environ.get("INTERLEAVINGS", "20")),
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    database=None,
)
TestOwners = cast("Any", Owners).TestCase
TestOwners.settings = often
TestOneInMemory = cast("Any", OneInMemory).TestCase
TestOneInMemory.settings = often


@pytest.mark.fleet
class TestInPostgres(cast("Any", InPostgres).TestCase):
    settings = often

    @pytest.fixture(autouse=True)
    def _server(self, server: Postgres) -> None:
        InPostgres.server = server
