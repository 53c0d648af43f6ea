"""Tasks over stdio: a client follows a run, and finds it again after its server was killed."""

from __future__ import annotations

from typing import Any

import pytest
from mcp import Client

from help.command import server
from help.following import Following, task_of
from help.seeded import ANN, TESLA, Json
from quantinal_mcp.sandbox import Sandbox

pytestmark = pytest.mark.anyio

RUN: Json = {"tracker_id": TESLA, "context": {"sandbox": {"seconds": 6, "fail": False}}}


async def test_a_task_is_followed_to_its_score_by_the_next_server_on_this_machine() -> None:
    sandbox, following = Sandbox(tokens=(ANN,)), Following()
    async with sandbox.serve() as service:
        environment = {"QUANTINAL_BASE_URL": service, "QUANTINAL_API_TOKEN": ANN}
        async with Client(server(**environment), extensions=[following]) as client:
            task_id = await task_of(client, "trigger_run", **RUN)
        async with Client(server(**environment), extensions=[following]) as client:
            run: Any = (await following.follow(client.session, task_id))["result"]["structuredContent"]
    assert run["status"] == "completed"
    assert sandbox.count("POST", r"/runs$") == 1
