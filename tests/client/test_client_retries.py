"""What is sent again, how often and after how long, on a clock that costs nothing."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from help.eras import virtual_time
from help.seeded import SOURCE, TESLA
from quantinal_mcp.client import QuantinalClient
from quantinal_mcp.errors import (
    InvalidResponse,
    NetworkError,
    OutcomeUnknown,
    QuantinalError,
    RateLimited,
    Rejected,
    RequestTimeout,
    UpstreamError,
)
from quantinal_mcp.sandbox import Fault, Sandbox

pytestmark = [pytest.mark.anyio, virtual_time]

BROKEN: list[tuple[dict[str, Any], type[QuantinalError]]] = [
    ({"kind": "status", "code": 500}, UpstreamError),
    ({"kind": "status", "code": 503, "body": "<html>"}, UpstreamError),
    ({"kind": "status", "code": 200, "body": "<html>"}, InvalidResponse),
    ({"kind": "status", "code": 204, "body": ""}, InvalidResponse),
    ({"kind": "drop_before"}, NetworkError),
    ({"kind": "drop_after"}, NetworkError),
    ({"kind": "half"}, NetworkError),
    ({"kind": "refuse"}, NetworkError),
    ({"kind": "hang_before", "seconds": 60}, RequestTimeout),
    ({"kind": "status", "code": 429, "headers": {"Retry-After": "2"}}, RateLimited),
    ({"kind": "status", "code": 503, "headers": {"Retry-After": "2"}}, UpstreamError),
]


@pytest.mark.parametrize("fault", [fault for fault, _ in BROKEN])
async def test_a_read_is_repeated_until_it_succeeds(
    client: QuantinalClient, sandbox: Sandbox, fault: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault("GET", "/api/", times=1, **fault))
    assert (await client.get_tracker(TESLA))["tracker_id"] == TESLA
    assert len(sandbox.requests) == 2


@pytest.mark.parametrize(("fault", "error"), BROKEN)
async def test_a_read_that_never_succeeds_ends_in_time(
    client: QuantinalClient, sandbox: Sandbox, fault: dict[str, Any], error: type[QuantinalError]
) -> None:
    sandbox.faults.add(Fault("GET", "/api/", times=None, **fault))
    with pytest.raises(error):
        await client.get_tracker(TESLA)
    assert 2 <= len(sandbox.requests) <= 5
    assert anyio.current_time() <= 30


@pytest.mark.parametrize(("fault", "error"), BROKEN)
async def test_a_post_is_repeated_only_where_it_was_certainly_not_executed(
    client: QuantinalClient, sandbox: Sandbox, fault: dict[str, Any], error: type[QuantinalError]
) -> None:
    sandbox.faults.add(Fault("POST", "/api/", times=None, **fault))
    is_certain = fault["kind"] == "refuse" or fault.get("code") == 429
    with pytest.raises(error if is_certain else OutcomeUnknown) as caught:
        await client.trigger_run(TESLA, sync=False, context=None, seconds=20)
    if is_certain:
        assert len(sandbox.requests) > 1
        assert sandbox.charged() == 0
    else:
        assert isinstance(caught.value, OutcomeUnknown)
        assert type(caught.value.lost) is error
        assert len(sandbox.requests) == 1


async def test_a_post_that_is_sent_again_and_not_answered_is_not_taken_for_refused(
    client: QuantinalClient, sandbox: Sandbox
) -> None:
    sandbox.faults.add(Fault("POST", "/api/", "status", code=429), Fault("POST", "/api/", "hang_after", seconds=60))
    with pytest.raises(OutcomeUnknown):
        await client.trigger_run(TESLA, sync=False, context=None, seconds=20)
    assert len(sandbox.requests) == 2


@pytest.mark.parametrize("fault", [fault for fault, _ in BROKEN if fault.get("code") != 204])
async def test_patch_and_delete_are_repeated_like_reads(
    client: QuantinalClient, sandbox: Sandbox, fault: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault("PATCH", "/api/", times=1, **fault), Fault("DELETE", "/api/", times=1, **fault))
    assert (await client.update_tracker(TESLA, {"name": "T"})).get("name") == "T"
    assert (await client.delete_tracker(TESLA)).get("success") is True
    assert [one.method for one in sandbox.requests] == ["PATCH", "PATCH", "DELETE", "DELETE"]


@pytest.mark.parametrize("status", [408, 425])
async def test_a_request_that_came_too_slowly_or_too_early_is_sent_again_where_that_is_safe(
    client: QuantinalClient, sandbox: Sandbox, status: int
) -> None:
    sandbox.faults.add(
        *(Fault(method, "/api/", "status", code=status, body="") for method in ("GET", "PATCH", "DELETE"))
    )
    await client.get_tracker(TESLA)
    await client.update_tracker(TESLA, {"name": "T"})
    await client.delete_tracker(TESLA)
    assert len(sandbox.requests) == 6
    sandbox.faults.add(Fault("*", "/api/", "status", None, code=status, body=""))
    for call in (client.list_spaces(), client.update_vault_source(TESLA, SOURCE, {"name": "S"})):
        with pytest.raises(Rejected) as caught:
            await call
        assert "try again in a minute" in str(caught.value)
        assert "arguments" not in str(caught.value)


@pytest.mark.parametrize("seconds", [1, 3, 10])
async def test_the_wait_that_the_service_asks_for_is_honoured(
    client: QuantinalClient, sandbox: Sandbox, seconds: int
) -> None:
    sandbox.faults.add(Fault("GET", "/api/", "status", code=429, headers={"Retry-After": str(seconds)}))
    await client.list_spaces()
    assert seconds <= anyio.current_time() <= seconds + 1


@pytest.mark.parametrize("value", ["3600", "Wed, 01 Jan 2200 00:00:00 GMT", "9" * 20, "9" * 400])
async def test_a_wait_too_long_to_keep_is_reported_at_once(
    client: QuantinalClient, sandbox: Sandbox, value: str
) -> None:
    sandbox.faults.add(Fault("*", "/api/", "status", None, code=429, headers={"Retry-After": value}))
    for call in (client.list_spaces(), client.trigger_run(TESLA, sync=True, context=None, seconds=60)):
        with pytest.raises(RateLimited) as caught:
            await call
        assert 3600 <= (caught.value.retry_after or 0) <= 86_400
        assert "Wait a day," in str(caught.value) or "Wait 3600 s," in str(caught.value)
    assert anyio.current_time() == 0
    assert len(sandbox.requests) == 2


@pytest.mark.parametrize("value", ["", "soon", "-5", "Wed, 01 Jan 2020 00:00:00 GMT", "1.5", "0"])
async def test_a_wait_that_cannot_be_read_is_backed_off_from(
    client: QuantinalClient, sandbox: Sandbox, value: str
) -> None:
    sandbox.faults.add(Fault("GET", "/api/", "status", code=429, headers={"Retry-After": value}))
    await client.list_spaces()
    assert 0.2 <= anyio.current_time() <= 2


async def test_refused_connections_give_up_as_unreached(client: QuantinalClient, sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("*", "/api/", "refuse", None))
    with pytest.raises(NetworkError) as caught:
        await client.trigger_run(TESLA, sync=True, context=None, seconds=300)
    assert caught.value.connected is False
    assert anyio.current_time() < 15


async def test_a_body_that_dribbles_for_ever_is_bounded(client: QuantinalClient, sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("GET", "/api/", "slow_body", None, seconds=100))
    with pytest.raises(RequestTimeout):
        await client.list_spaces()
    assert anyio.current_time() <= 30


async def test_a_slow_body_within_the_limit_arrives(client: QuantinalClient, sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("GET", "/api/", "slow_body", None, seconds=20))
    assert (await client.list_spaces())["data"]
    assert len(sandbox.requests) == 1
