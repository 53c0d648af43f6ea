"""Skills are asked for once in a while, also where they are forbidden, and once for each token."""

from __future__ import annotations

import anyio
import pytest

from help.eras import virtual_time
from help.seeded import TOKEN
from help.services import reaching
from quantinal_mcp.client import QuantinalClient
from quantinal_mcp.errors import (
    Forbidden,
    NotFound,
)
from quantinal_mcp.sandbox import Fault, Sandbox

pytestmark = [pytest.mark.anyio, virtual_time]


async def test_skills_are_asked_for_once_in_five_minutes_and_query(client: QuantinalClient, sandbox: Sandbox) -> None:
    first = await client.list_skills({"page": 1})
    assert await client.list_skills({"page": 1, "status": None}) == first
    await client.list_skills({"page": 1, "status": "active"})
    assert len(sandbox.requests) == 2
    await anyio.sleep(290)
    await client.list_skills({"page": 1})
    assert len(sandbox.requests) == 2
    await anyio.sleep(20)
    await client.list_skills({"page": 1})
    assert len(sandbox.requests) == 3


async def test_callers_at_once_ask_for_skills_once(client: QuantinalClient, sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("GET", "/skills", "slow_body", seconds=2))
    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(client.list_skills, {"page": 1})
    assert len(sandbox.requests) == 1


async def test_that_skills_are_forbidden_is_remembered_too_and_other_failures_are_not() -> None:
    sandbox = Sandbox(skills_forbidden=True)
    async with reaching(transport=sandbox.transport()) as client:
        for _ in range(3):
            with pytest.raises(Forbidden, match="The console shows them"):
                await client.list_skills({})
        assert len(sandbox.requests) == 1
    other = Sandbox()
    other.faults.add(Fault("GET", "/skills", "status", code=403, body="<html>Blocked</html>"))
    async with reaching(transport=other.transport()) as client:
        with pytest.raises(Forbidden, match="HTTP 403"):
            await client.list_skills({})
        assert (await client.list_skills({}))["data"]
    other.faults.add(Fault("GET", "/skills", "status", code=404))
    async with reaching(transport=other.transport()) as client:
        with pytest.raises(NotFound):
            await client.list_skills({})
        assert (await client.list_skills({}))["data"]


async def test_what_one_token_learnt_of_skills_serves_no_other() -> None:
    sandbox = Sandbox(tokens=(TOKEN, "qapi_other"))
    for token in (TOKEN, "qapi_other"):
        async with reaching(transport=sandbox.transport(), token=token) as client:
            await client.list_skills({})
    assert [one.account for one in sandbox.requests] == [0, 1]
