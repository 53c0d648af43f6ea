"""What an answer says of whether a request was executed: refusals, deletions, nothing at all."""

from __future__ import annotations

from typing import Any

import anyio
import httpx
import pytest

from help.eras import virtual_time
from help.seeded import RUN, SOURCE, SPACE, TESLA
from help.services import Scripted, reaching
from quantinal_mcp.client import QuantinalClient
from quantinal_mcp.errors import (
    ApiError,
    NotFound,
    OutcomeUnknown,
    QuantinalError,
    Rejected,
)
from quantinal_mcp.sandbox import Fault, Sandbox

pytestmark = [pytest.mark.anyio, virtual_time]


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
