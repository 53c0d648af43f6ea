"""What is sent again, how often and after how long, on a clock that costs nothing."""

from __future__ import annotations

from typing import Any

import anyio
import httpx
import pytest

from help.eras import virtual_time
from help.seeded import RUN, SOURCE, SPACE, TESLA, TOKEN
from help.services import Scripted, reaching
from quantinal_mcp.client import QuantinalClient
from quantinal_mcp.errors import (
    ApiError,
    Forbidden,
    InvalidResponse,
    NetworkError,
    NotFound,
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


async def test_a_change_that_is_answered_with_nothing_was_made_and_is_read(
    client: QuantinalClient, sandbox: Sandbox
) -> None:
    sandbox.faults.add(
        Fault("PATCH", "/api/", "act_then_status", None, code=204, body=""),
        Fault("DELETE", "/api/", "act_then_status", None, code=204, body=""),
    )
    assert (await client.update_tracker(TESLA, {"name": "T"})).get("name") == "T"
    assert (await client.update_run_comment(TESLA, RUN, "good")).get("run_comment") == "good"
    renamed = await client.update_vault_source(TESLA, SOURCE, {"name": "S"})
    assert (renamed["source_id"], renamed.get("name")) == (SOURCE, "S")
    assert (await client.delete_run(TESLA, RUN)).get("success") is True
    assert [one.method for one in sandbox.requests] == ["PATCH", "GET"] * 3 + ["DELETE"]


NOT_THE_SERVICES_OWN: list[tuple[int, str]] = [
    *((status, "") for status in (400, 401, 402, 403, 404, 409, 422, 429)),
    *((status, "<html>Blocked</html>") for status in (400, 403, 404, 429)),
    (403, '{"message": "Forbidden"}'),
    (429, '{"error": "rate limited"}'),
    (400, '"detail"'),
    (422, '{"detail": null}'),
    (422, '{"detail": {"loc": []}}'),
    (401, '{"detail": "cut o'),
    *((status, '{"detail": "Not by the documents."}') for status in (405, 408, 410, 413, 418, 421, 425, 451, 499)),
]


@pytest.mark.parametrize(("status", "body"), NOT_THE_SERVICES_OWN)
async def test_a_refusal_that_is_not_the_services_own_is_a_lost_answer(
    client: QuantinalClient, sandbox: Sandbox, status: int, body: str
) -> None:
    sandbox.faults.add(Fault("POST", "/api/", "act_then_status", None, code=status, body=body))
    with pytest.raises(OutcomeUnknown):
        await client.trigger_run(TESLA, sync=False, context=None, seconds=20)
    with pytest.raises(OutcomeUnknown):
        await client.upload_json(TESLA, {"source_name": "s", "data": {"a": 1}})
    assert len(sandbox.requests) == 2


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 409, 422])
@pytest.mark.parametrize("body", ['{"detail": "No."}', '{"detail": []}', '{"detail": [{"msg": "x"}], "more": 1}'])
async def test_the_services_own_refusal_says_that_nothing_was_executed(
    client: QuantinalClient, sandbox: Sandbox, status: int, body: str
) -> None:
    sandbox.faults.add(Fault("POST", "/api/", "status", None, code=status, body=body))
    with pytest.raises(ApiError) as caught:
        await client.trigger_run(TESLA, sync=False, context=None, seconds=20)
    assert caught.value.status == status
    assert len(sandbox.requests) == 1


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


async def test_a_deletion_of_what_was_not_there_is_not_believed_done(client: QuantinalClient, sandbox: Sandbox) -> None:
    with pytest.raises(NotFound):
        await client.delete_run(TESLA, f"{RUN[:-1]}0")
    assert len(sandbox.requests) == 1


async def test_a_deletion_whose_answer_was_lost_is_not_believed_done_because_of_a_gateways_404(
    client: QuantinalClient, sandbox: Sandbox
) -> None:
    sandbox.faults.add(
        Fault("DELETE", "/api/", "status", code=502), Fault("DELETE", "/api/", "status", code=404, body="<html>")
    )
    with pytest.raises(NotFound):
        await client.delete_tracker(TESLA)


@pytest.mark.parametrize("first", [None, {"kind": "refuse"}, {"kind": "status", "code": 429}])
async def test_a_deletion_of_what_is_not_there_is_no_success_unless_it_may_have_been_ours(
    client: QuantinalClient, sandbox: Sandbox, first: dict[str, Any] | None
) -> None:
    await client.delete_run(TESLA, RUN)
    if first is not None:
        sandbox.faults.add(Fault("DELETE", "/api/", times=1, **first))
    with pytest.raises(NotFound):
        await client.delete_run(TESLA, RUN)


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


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 409, 418, 422])
async def test_a_refusal_is_not_repeated(client: QuantinalClient, sandbox: Sandbox, status: int) -> None:
    sandbox.faults.add(Fault("*", "/api/", "status", None, code=status))
    with pytest.raises(QuantinalError):
        await client.get_space(SPACE)
    assert len(sandbox.requests) == 1


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308, 399])
@pytest.mark.parametrize(
    "where",
    [
        b"http://elsewhere.example/v1/api/spaces",
        b"/v1/api/skills",
        b"",
        b"http://[",
        b"http://a:b",
        b"\xff",
        b"x" * 70_000,
    ],
)
async def test_a_redirect_is_refused_at_once_and_executed_nothing(status: int, where: bytes) -> None:
    service = Scripted(lambda _request: httpx.Response(status, headers=[(b"Location", where)]))
    async with reaching(transport=service) as client:
        for call in (
            client.list_spaces,
            lambda: client.trigger_run(TESLA, sync=True, context=None, seconds=60),
            lambda: client.update_tracker(TESLA, {"name": "T"}),
            lambda: client.delete_tracker(TESLA),
        ):
            with pytest.raises(Rejected, match=r"Nothing was executed.*Redirects are not followed") as caught:
                await call()
            assert "QUANTINAL_BASE_URL" in str(caught.value)
    assert anyio.current_time() == 0
    assert [request.method for request in service.requests] == ["GET", "POST", "PATCH", "DELETE"]
    assert {request.url.host for request in service.requests} == {"service"}


async def test_a_body_that_dribbles_for_ever_is_bounded(client: QuantinalClient, sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("GET", "/api/", "slow_body", None, seconds=100))
    with pytest.raises(RequestTimeout):
        await client.list_spaces()
    assert anyio.current_time() <= 30


async def test_a_slow_body_within_the_limit_arrives(client: QuantinalClient, sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("GET", "/api/", "slow_body", None, seconds=20))
    assert (await client.list_spaces())["data"]
    assert len(sandbox.requests) == 1


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
