"""What is sent: paths that no id can leave, headers, and only what was given."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from help.seeded import RUN, SOURCE, SPACE, TESLA
from help.services import always, reaching
from quantinal_mcp.client import QuantinalClient
from quantinal_mcp.client.paths import path
from quantinal_mcp.errors import (
    InvalidRequest,
)
from quantinal_mcp.models.trackers import NewTracker
from quantinal_mcp.sandbox import Sandbox

ATTACKS = (
    "",
    ".",
    "..",
    "../spaces",
    "a/b",
    "/a",
    "a/",
    "a\\b",
    "%2e%2e",
    "a%2fb",
    "a%00",
    "a\x00",
    "a\n",
    "a\r\nX: y",
    " ",
    "a b",
    "a?b=c",
    "a#b",
    "a;b",
    "a:b",
    "a@b",
    "é",
    "１",
    "\u202ea",
    "\ud800",
    "x" * 129,
    "x" * 100_000,
)

NOTHING: NewTracker = {"name": "N", "description": "D", "run_mode": "manual", "agent_config": {}}

BY_ID: tuple[Callable[[QuantinalClient, str], Awaitable[Any]], ...] = (
    lambda client, bad: client.get_space(bad),
    lambda client, bad: client.create_tracker(bad, NOTHING),
    lambda client, bad: client.get_tracker(bad),
    lambda client, bad: client.update_tracker(bad, {}),
    lambda client, bad: client.delete_tracker(bad),
    lambda client, bad: client.trigger_run(bad, sync=False, context=None, seconds=5),
    lambda client, bad: client.list_runs(bad, {}),
    lambda client, bad: client.get_run(bad, RUN),
    lambda client, bad: client.get_run(TESLA, bad),
    lambda client, bad: client.update_run_comment(TESLA, bad, "x"),
    lambda client, bad: client.delete_run(bad, RUN),
    lambda client, bad: client.delete_run(TESLA, bad),
    lambda client, bad: client.get_vault(bad),
    lambda client, bad: client.list_recent_vault_data(bad, {}),
    lambda client, bad: client.upload_file(bad, "n.txt", b"x", "text/plain", None),
    lambda client, bad: client.upload_json(bad, {}),
    lambda client, bad: client.list_vault_sources(bad),
    lambda client, bad: client.get_vault_source(TESLA, bad),
    lambda client, bad: client.update_vault_source(TESLA, bad, {}),
    lambda client, bad: client.delete_vault_source(bad, SOURCE),
    lambda client, bad: client.delete_vault_source(TESLA, bad),
)


@pytest.mark.anyio
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: ascii(attack[:20]))
async def test_an_id_cannot_leave_its_segment_of_the_path(
    client: QuantinalClient, sandbox: Sandbox, attack: str
) -> None:
    for call in BY_ID:
        with pytest.raises(InvalidRequest):
            await call(client, attack)
    assert not sandbox.requests


def test_a_path_is_made_of_plain_segments() -> None:
    assert path("trackers", TESLA, "runs", RUN) == f"/api/trackers/{TESLA}/runs/{RUN}"
    assert path("x" * 128) == "/api/" + "x" * 128


@pytest.mark.anyio
async def test_requests_say_who_sends_them_and_what_they_take() -> None:
    service = always('{"space_id": "spc_1"}')
    async with reaching(transport=service) as client:
        await client.get_space(SPACE)
    (request,) = service.requests
    assert request.headers["User-Agent"].startswith("quantinal-mcp/")
    assert request.headers["Accept"] == "application/json"


@pytest.mark.anyio
async def test_absent_filters_are_not_sent_and_a_cleared_comment_is_null() -> None:
    service = always(json.dumps({"data": [], "run_id": RUN, "status": "completed"}))
    async with reaching(transport=service) as client:
        await client.list_runs(TESLA, {"status": None, "min_score": 0.0, "page": 1})
        await client.update_run_comment(TESLA, RUN, "")
    listed, commented = service.requests
    assert dict(listed.url.params) == {"min_score": "0.0", "page": "1"}
    assert json.loads(commented.content) == {"comment": None}
