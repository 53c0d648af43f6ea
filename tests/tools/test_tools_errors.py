"""What a model reads when a call fails: a stable code, what happened, what to do next, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import anyio
import httpx
import pytest

from help.callers import Caller, answering, connected, text_of
from help.eras import Mode, both_eras, virtual_time
from help.inside import failing
from help.seeded import CALLS, SPACE, TESLA, TOKEN
from quantinal_mcp.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio

HTML = "<html><body>502 Bad Gateway</body></html>"
UPLOADS_AND_CREATE = {"create_tracker", "upload_vault_file", "upload_vault_json"}

REFUSALS = (
    (400, "invalid_request", "Correct the arguments"),
    (401, "unauthorized", "check QUANTINAL_API_TOKEN"),
    (402, "insufficient_quants", "top up the balance"),
    (404, "not_found", "may be deleted"),
    (409, "conflict", "Resolve what the message names"),
    (422, "invalid_request", "Correct the arguments"),
    (403, "forbidden", "console"),
)

TWO_AT_FIRST = {"create_tracker": "the skills, whose refusal decides nothing", "compare_scores": "two trackers at once"}


@pytest.mark.parametrize("tool", CALLS)
async def test_a_refusal_of_the_service_has_its_code_and_a_next_step(call: Caller, sandbox: Sandbox, tool: str) -> None:
    for status, code, step in REFUSALS:
        failing(sandbox, status)
        before = len(sandbox.requests)
        text = await call.fails(tool, code, **CALLS[tool])
        assert step in text
        assert "It is so." in text or (tool, status) == ("list_skills", 403)
        assert len(sandbox.requests) == before + (2 if tool in TWO_AT_FIRST else 1)
        sandbox.faults.clear()


@virtual_time
@pytest.mark.parametrize("tool", CALLS)
async def test_a_gateways_refusal_of_a_write_is_a_lost_answer(call: Caller, sandbox: Sandbox, tool: str) -> None:
    is_post = tool in UPLOADS_AND_CREATE
    for status, body in ((403, HTML), (408, HTML), (413, HTML), (418, '{"detail": "It"}'), (499, ""), (400, "{}")):
        sandbox.faults.add(Fault("POST" if is_post else "*", "/api/", "status", None, code=status, body=body))
        sandbox.requests.clear()
        code = "outcome_unknown" if is_post else "forbidden" if status == 403 else "invalid_request"
        assert "<html>" not in await call.fails(tool, code, **CALLS[tool])
        assert sandbox.count("POST", "/") == is_post
        sandbox.faults.clear()


@virtual_time
@pytest.mark.parametrize("tool", CALLS)
async def test_a_broken_service_is_reported_after_patient_retries(call: Caller, sandbox: Sandbox, tool: str) -> None:
    code = "outcome_unknown" if tool in UPLOADS_AND_CREATE else "upstream_error"
    for body in ('{"detail": "Down"}', HTML):
        failing(sandbox, 503, body=body)
        sandbox.requests.clear()
        assert "<html>" not in await call.fails(tool, code, **CALLS[tool])
        assert sandbox.count("POST", "/") == (tool in UPLOADS_AND_CREATE)
        assert len(sandbox.requests) > 1
        sandbox.faults.clear()


@virtual_time
@pytest.mark.parametrize("tool", CALLS)
async def test_a_rate_limit_is_waited_for_where_it_is_short_and_else_reported(
    call: Caller, sandbox: Sandbox, tool: str
) -> None:
    failing(sandbox, 429, headers={"Retry-After": "3600"})
    began = anyio.current_time()
    assert "Wait 3600 s, then call again." in await call.fails(tool, "rate_limited", **CALLS[tool])
    assert anyio.current_time() == began
    sandbox.faults.clear()
    sandbox.faults.add(Fault("*", "/api/", "status", 2, code=429, headers={"Retry-After": "3"}))
    assert await call(tool, **CALLS[tool])
    assert anyio.current_time() - began >= 3


@virtual_time
@pytest.mark.parametrize("tool", CALLS)
async def test_a_network_that_fails_is_said_to_fail(call: Caller, sandbox: Sandbox, tool: str) -> None:
    if tool not in UPLOADS_AND_CREATE:
        sandbox.faults.add(Fault("*", "/api/", "hang_before", None, seconds=1000))
        assert "again" in await call.fails(tool, "timeout", **CALLS[tool])
        sandbox.faults.clear()
    sandbox.faults.add(Fault("*", "/api/", "refuse", None))
    assert "Nothing was sent." in await call.fails(tool, "network_error", **CALLS[tool])
    sandbox.faults.clear()
    sandbox.faults.add(Fault("*", "/api/", "drop_before", None))
    code = "outcome_unknown" if tool in UPLOADS_AND_CREATE else "network_error"
    assert "again" in await call.fails(tool, code, **CALLS[tool])


NONSENSE = (HTML, "[]", '"text"', "null", "5", "", "[" * 9999, "{}", '{"data": 5}', '{"data": [{}]}')


@pytest.mark.patient
@virtual_time
@pytest.mark.parametrize("tool", CALLS)
async def test_a_success_of_the_wrong_shape_is_an_invalid_response(call: Caller, sandbox: Sandbox, tool: str) -> None:
    # The answer to a delete promises nothing but an object.
    bodies = NONSENSE[:-3] if tool.startswith("delete_") else NONSENSE
    for body in bodies:
        answering(sandbox, "*", "/api/", body)
        code = "outcome_unknown" if tool in UPLOADS_AND_CREATE else "invalid_response"
        assert "again" in await call.fails(tool, code, **CALLS[tool])
        sandbox.faults.clear()


async def test_without_a_token_a_call_says_how_to_get_one(sandbox: Sandbox) -> None:
    async with connected(sandbox, token=None) as call:
        assert (await call.tools()).keys() == CALLS.keys()
        for tool, arguments in CALLS.items():
            text = await call.fails(tool, "no_token", **arguments)
            assert "QUANTINAL_API_TOKEN" in text
            assert "QUANTINAL_SANDBOX=1" in text
    assert not sandbox.requests


@both_eras
@pytest.mark.parametrize("tool", CALLS)
async def test_a_proxy_that_cannot_be_used_is_named_by_every_tool(
    sandbox: Sandbox, mode: Any, tool: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:port")
    async with connected(sandbox, mode, base_url="https://api.quantinal.ai/v1") as call:
        assert "HTTPS_PROXY is not the URL of a proxy" in await call.fails(tool, "misconfigured", **CALLS[tool])


@both_eras
async def test_a_wrong_token_is_unauthorized_and_not_shown(sandbox: Sandbox, mode: Any) -> None:
    async with connected(sandbox, mode=mode, token="qapi_wrong_secret") as call:
        text = await call.fails("list_spaces", "unauthorized")
    assert "wrong_secret" not in text
    assert "do not retry with the same token" in text


async def test_a_token_echoed_by_the_service_does_not_come_out(call: Caller, sandbox: Sandbox) -> None:
    failing(sandbox, 400, body=json.dumps({"detail": f"Bearer {TOKEN} is odd"}))
    assert "Bearer [token] is odd" in await call.fails("list_spaces", "invalid_request")
    sandbox.faults.clear()
    answering(sandbox, "GET", "/spaces/", {"space_id": "spc_1", "name": f"of {TOKEN}", TOKEN: {TOKEN: [TOKEN]}})
    assert TOKEN not in json.dumps(await call("get_space", space_id=SPACE))


async def test_an_empty_balance_is_insufficient_quants() -> None:
    sandbox = Sandbox(balance=0.0)
    async with connected(sandbox) as call:
        text = await call.fails("trigger_run", "insufficient_quants", tracker_id=TESLA)
    assert "top up" in text


async def test_skills_that_a_token_may_not_list_are_in_the_console() -> None:
    sandbox = Sandbox(skills_forbidden=True)
    async with connected(sandbox) as call:
        for _ in range(3):
            assert "The console shows them" in await call.fails("list_skills", "forbidden")
        assert sandbox.count("GET", "/skills") == 1
        await call("estimate_run_cost", tracker_id=TESLA)


async def test_more_uploads_than_a_minute_allows_are_rate_limited(call: Caller) -> None:
    for number in range(30):
        await call("upload_vault_json", tracker_id=TESLA, source_name="many", data={"n": number})
    text = await call.fails("upload_vault_json", "rate_limited", tracker_id=TESLA, source_name="many", data={"n": 31})
    assert "Not executed" in text


@pytest.mark.parametrize("tool", CALLS)
async def test_redirects_are_not_followed(call: Caller, sandbox: Sandbox, tool: str) -> None:
    elsewhere = {"Location": "/v1/api/spaces"}
    sandbox.faults.add(Fault("*", "/api/", "status", None, code=307, headers=elsewhere, body=""))
    text = await call.fails(tool, "invalid_request", **CALLS[tool])
    assert "Nothing was executed. Redirects are not followed" in text
    # Each of two trackers is read, and prices that cannot be are unknown: no request is made twice.
    assert len(sandbox.requests) == (2 if tool in {"compare_scores", "create_tracker"} else 1)
    assert len({(one.method, one.path) for one in sandbox.requests}) == len(sandbox.requests)


class CrashingOnPost(httpx.AsyncBaseTransport):
    """A way to the sandbox on which every POST meets what nobody foresaw."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._way = sandbox.transport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            raise RuntimeError(f"a crash with {TOKEN}")
        return await self._way.handle_async_request(request)


@virtual_time
@both_eras
@pytest.mark.parametrize(("tool", "text"), [("trigger_run", "[outcome_unknown] "), ("create_tracker", "Error exec")])
async def test_a_crash_in_one_call_says_nothing_of_its_insides_and_the_server_goes_on(
    sandbox: Sandbox, mode: Mode, tool: str, text: str
) -> None:
    async with connected(sandbox, mode=mode, way=CrashingOnPost(sandbox)) as call:
        result = await call.raw(tool, CALLS[tool])
        assert result.is_error
        assert text_of(result).startswith(text)
        assert TOKEN not in text_of(result)
        assert "crash" not in text_of(result)
        assert await call("list_spaces")
