from __future__ import annotations

from dataclasses import replace

import anyio
import pytest
from mcp import Client
from mcp_types import PromptReference, ResourceTemplateReference

from help.callers import client_of
from help.eras import virtual_time
from help.seeded import TESLA
from quantinal_mcp.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio

FAULTS = [
    Fault("GET", "/spaces", "status", times=None, code=500),
    Fault("GET", "/spaces", "hang_before", seconds=3600),
]
BRIEFING = PromptReference(name="briefing")
TEMPLATE = ResourceTemplateReference(uri="quantinal://trackers/{tracker_id}/runs/{run_id}")


async def completed(
    client: Client,
    argument: str,
    typed: str,
    ref: PromptReference | ResourceTemplateReference = BRIEFING,
    **known: str,
) -> list[str]:
    """What an argument may become."""
    completion = (await client.complete(ref, {"name": argument, "value": typed}, known or None)).completion
    assert len(completion.values) <= 100
    return completion.values


async def test_ids_are_completed_by_their_beginning_and_by_name(mode: str) -> None:
    async with client_of(Sandbox(), mode) as client:
        assert await completed(client, "tracker_id", "trk_a1b2") == [TESLA]
        assert await completed(client, "tracker_id", "TESLA sent") == [TESLA]
        assert await completed(client, "tracker_id", "tesla sent", TEMPLATE) == [TESLA]
        [space] = await completed(client, "space_id", "market")
        assert TESLA in await completed(client, "tracker_id", "", space_id=space)
        others = [other for other in await completed(client, "space_id", "") if other != space]
        assert TESLA not in await completed(client, "tracker_id", "", space_id=others[0])
        assert await completed(client, "skill", "financial") == ["financial_markets"]


async def test_runs_and_sources_are_those_of_the_tracker_given_before(mode: str) -> None:
    async with client_of(Sandbox(), mode) as client:
        runs = await completed(client, "run_id", "run_", TEMPLATE, tracker_id=TESLA)
        assert 0 < len(runs) <= 100
        assert set(await completed(client, "run_id", "failed", TEMPLATE, tracker_id=TESLA)) < set(runs)
        sources = await completed(client, "source_id", "", tracker_id=TESLA)
        assert sources
        assert await completed(client, "source_id", sources[0][:6], tracker_id=TESLA) == sources[:1]
        assert await completed(client, "run_id", "run_", TEMPLATE) == []
        assert await completed(client, "source_id", "") == []


async def test_a_name_is_completed_by_what_can_be_seen_of_it(mode: str) -> None:
    sandbox = Sandbox()
    body = '{"data": [{"space_id": "spc_1", "name": "La\\u200bb \\ud83d\\udc69\\u200d\\ud83d\\udd2c"}]}'
    sandbox.faults.add(Fault("GET", "/spaces", "status", code=200, body=body))
    async with client_of(sandbox, mode) as client:
        assert await completed(client, "space_id", "lab") == ["spc_1"]


async def test_an_id_in_which_the_service_echoes_the_token_is_not_completed_to_it(mode: str) -> None:
    sandbox = Sandbox()
    body = '{"data": [{"space_id": "spc_qapi_sandbox", "name": "Echo"}]}'
    sandbox.faults.add(Fault("GET", "/spaces", "status", code=200, body=body))
    async with client_of(sandbox, mode) as client:
        assert await completed(client, "space_id", "echo") == ["spc_[token]"]


async def test_the_latest_run_comes_first(mode: str) -> None:
    async with client_of(Sandbox(), mode) as client:
        runs = await completed(client, "run_id", "completed", TEMPLATE, tracker_id=TESLA)
        history = await client.call_tool("get_score_history", {"tracker_id": TESLA, "limit": 1})
    assert history.structured_content is not None
    assert runs[0] == history.structured_content["latest_run_id"]


async def test_typing_a_word_costs_one_request_per_list(mode: str) -> None:
    sandbox = Sandbox()
    async with client_of(sandbox, mode) as client, anyio.create_task_group() as tasks:
        for end in range(5):
            tasks.start_soon(completed, client, "tracker_id", "tesla"[:end])
    assert sandbox.count("GET", r"/api/spaces$") == 1
    assert sandbox.count("GET", r"/api/trackers$") == 3


@virtual_time
async def test_what_is_remembered_is_forgotten_after_half_a_minute(mode: str) -> None:
    sandbox = Sandbox()
    async with client_of(sandbox, mode) as client:
        for _ in range(2):
            await completed(client, "space_id", "")
            await completed(client, "space_id", "m")
            await anyio.sleep(31)
    assert sandbox.count("GET", r"/api/spaces$") == 2


@pytest.mark.parametrize("fault", FAULTS)
@virtual_time
async def test_a_service_that_fails_or_hangs_completes_nothing_and_is_not_asked_for_every_letter(
    fault: Fault, mode: str
) -> None:
    sandbox = Sandbox()
    sandbox.faults.add(replace(fault))
    async with client_of(sandbox, mode) as client:
        began = anyio.current_time()
        assert await completed(client, "space_id", "") == []
        assert anyio.current_time() - began < 6
        asked = len(sandbox.requests)
        assert await completed(client, "space_id", "m") == []
    assert len(sandbox.requests) == asked


async def test_nonsense_completes_nothing(mode: str) -> None:
    async with client_of(Sandbox(), mode) as client:
        assert await completed(client, "tracker_id", "", space_id="../..") == []
        assert await completed(client, "run_id", "", tracker_id="trk_a/b") == []
        assert await completed(client, "colour", "r") == []
        assert await completed(client, "tracker_id", "x" * 10_000) == []


async def test_without_a_token_nothing_is_completed(mode: str) -> None:
    async with client_of(Sandbox(), mode, token=None) as client:
        assert await completed(client, "space_id", "") == []
