"""What a model reads when a call fails: a stable code, what happened, what to do next, and nothing else."""

from __future__ import annotations

import json
import re
from typing import Any

import anyio
import httpx
import pytest

from help.callers import Caller, answering, connected, text_of, tracker_of
from help.eras import Mode, both_eras, virtual_time
from help.seeded import AGENT, CALLS, RUN, SEMIS, SOURCE, SPACE, TESLA, TOKEN, lines_of
from quantinal_mcp.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio

HTML = "<html><body>502 Bad Gateway</body></html>"
UPLOADS_AND_CREATE = {"create_tracker", "upload_vault_file", "upload_vault_json"}


def failing(sandbox: Sandbox, code: int, **fault: Any) -> None:
    fault.setdefault("body", json.dumps({"detail": "It is so"}))
    sandbox.faults.add(Fault("*", "/api/", "status", None, code=code, **fault))


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


READING = {tool for tool in CALLS if tool.startswith(("get_", "list_", "wait_", "estimate_", "compare_"))}
MISSING: list[tuple[str, dict[str, str]]] = [
    ("get_space", {"space_id": "spc_none"}),
    ("create_tracker", {"space_id": "spc_none"}),
    ("list_trackers", {"space_id": "spc_none"}),
    ("get_run", {"run_id": "run_none"}),
    ("wait_for_run", {"run_id": "run_none"}),
    ("update_run_comment", {"run_id": "run_none"}),
    ("delete_run", {"run_id": "run_none"}),
    ("get_vault_source", {"source_id": "none"}),
    ("update_vault_source", {"source_id": "none"}),
    ("delete_vault_source", {"source_id": "none"}),
    *((tool, {"tracker_id": "trk_none"}) for tool, arguments in CALLS.items() if "tracker_id" in arguments),
]


@both_eras
async def test_an_id_of_nothing_is_not_found(call: Caller) -> None:
    for tool, changes in MISSING:
        (id_,) = changes.values()
        text = await call.fails(tool, "not_found", **{**CALLS[tool], **changes})
        assert id_ in text
        assert re.search(r"(list_spaces|get_overview|list_\w+\(tracker_id=trk_[\w-]+\)) lists what there is", text)
        assert ("othing was" in text) == (tool not in READING)


@pytest.mark.parametrize(
    ("tool", "changes", "text"),
    [
        (
            "get_tracker",
            {"tracker_id": "trk_none"},
            "There is no tracker trk_none. get_overview lists what there is; it may be deleted or belong to another "
            "account.",
        ),
        (
            "delete_tracker",
            {"tracker_id": "trk_none"},
            "There is no tracker trk_none. get_overview lists what there is; it may be deleted or belong to another "
            "account. Nothing was deleted.",
        ),
        (
            "trigger_run",
            {"tracker_id": "trk_none"},
            "There is no tracker trk_none. get_overview lists what there is; it may be deleted or belong to another "
            "account. Nothing was sent.",
        ),
        (
            "update_run_comment",
            {"run_id": "run_none"},
            f"Tracker {TESLA} has no run run_none. list_runs(tracker_id={TESLA}) lists what there is; it may be "
            "deleted or belong to another tracker. Nothing was changed.",
        ),
        (
            "delete_vault_source",
            {"source_id": "earnings-data"},
            f'Tracker {TESLA} has no source "earnings-data". "earnings-data" is the name of source {SOURCE}. '
            "Nothing was deleted.",
        ),
        (
            "get_vault_source",
            {"source_id": "nobodys"},
            f'Tracker {TESLA} has no source "nobodys". list_vault_sources(tracker_id={TESLA}) lists what there is; it '
            "may be deleted or belong to another tracker.",
        ),
    ],
)
async def test_what_there_is_not_is_named_with_the_call_that_lists_what_there_is(
    call: Caller, sandbox: Sandbox, tool: str, changes: dict[str, str], text: str
) -> None:
    assert (await call.error(tool, **{**CALLS[tool], **changes})).partition("] ")[2] == text
    assert len(sandbox.requests) <= 2


async def test_a_source_given_by_its_name_costs_one_more_request(call: Caller, sandbox: Sandbox) -> None:
    for _ in range(3):
        await call.fails("get_vault_source", "not_found", tracker_id=TESLA, source_id="Earnings-Data")
    assert sandbox.count("GET", "/vault/sources$") == 1


async def test_a_sources_name_that_could_be_no_id_is_known_too(call: Caller, sandbox: Sandbox) -> None:
    its_id = next(key for key, one in tracker_of(sandbox).vault.sources.items() if one.name == "deliveries.csv")
    where = {"tracker_id": TESLA, "source_id": "deliveries.csv"}
    for tool in ("get_vault_source", "update_vault_source", "delete_vault_source"):
        text = await call.fails(tool, "invalid_request", **{**CALLS[tool], **where})
        assert f'source_id takes a source\'s id; "deliveries.csv" is the name of {its_id}. Nothing was sent' in text


async def test_a_404_in_other_words_keeps_them_and_is_not_taken_for_another_ids(call: Caller, sandbox: Sandbox) -> None:
    failing(sandbox, 404, body=json.dumps({"detail": "Tracker trk_other not found"}))
    text = await call.fails("get_tracker", "not_found", tracker_id=TESLA)
    assert "Tracker trk_other not found." in text
    assert TESLA not in text
    sandbox.faults.clear()
    failing(sandbox, 404, body=json.dumps({"detail": f"Tracker '{TESLA}' not found"}))
    assert f"There is no tracker {TESLA}." in await call.fails("get_tracker", "not_found", tracker_id=TESLA)
    sandbox.faults.clear()
    failing(sandbox, 404, body=json.dumps({"detail": "Not Found"}))  # what a path is answered with that there is not
    text = await call.fails("get_run", "not_found", tracker_id=TESLA, run_id=RUN)
    assert "check QUANTINAL_BASE_URL" in text
    assert "lists what there is" not in text


async def test_another_accounts_tracker_is_not_found() -> None:
    sandbox = Sandbox(tokens=("qapi_sandbox", "qapi_other"))
    async with connected(sandbox, token="qapi_other") as call:
        await call.fails("get_tracker", "not_found", tracker_id=TESLA)


async def test_a_tracker_whose_vault_is_shared_cannot_be_deleted(call: Caller, sandbox: Sandbox) -> None:
    await call("create_tracker", **lines_of(name="Guest", shared_vault_tracker_id=TESLA))
    text = await call.fails("delete_tracker", "conflict", tracker_id=TESLA, confirm_name="Tesla Sentiment")
    assert 'shared by "Guest"' in text
    assert tracker_of(sandbox)


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("create_tracker", lines_of(agent_config={**AGENT, "skills": ["nope"]}), "nope"),
        ("create_tracker", lines_of(agent_config={**AGENT, "linked_trackers": ["trk_none"]}), "trk_none"),
        ("update_tracker", {"tracker_id": TESLA, "shared_vault_tracker_id": "trk_none"}, "trk_none"),
        ("update_vault_source", {**CALLS["update_vault_source"], "name": "deliveries.csv"}, "already named"),
        ("upload_vault_file", {"tracker_id": TESLA, "filename": "a.csv", "content": 'a,b\n"1'}, "file: "),
        ("upload_vault_file", {"tracker_id": TESLA, "filename": "a.pdf", "content": "no pdf"}, "file: "),
    ],
)
async def test_what_only_the_service_knows_to_be_wrong_is_told_in_its_words_and_that_nothing_came_of_it(
    call: Caller, tool: str, arguments: dict[str, Any], said: str
) -> None:
    text = await call.fails(tool, "invalid_request", **arguments)
    assert said in text
    assert text.count("Nothing was ") == 1


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"detail": [{"loc": ["body", "name"], "msg": "too long", "type": "x"}]}, "name: too long"),
        ({"detail": [{"loc": ["query", "page"], "msg": "bad"}, {"msg": "odd"}, "plain"]}, "page: bad; odd; plain"),
        ({"message": "in words"}, "in words"),
        ({"detail": {"a": 1}}, "{'a': 1}"),
        ([1, 2], "HTTP 422"),
        ({"detail": None}, "HTTP 422"),
        ({"detail": "x" * 5000}, "x…"),
    ],
)
async def test_every_form_of_detail_is_read(call: Caller, sandbox: Sandbox, body: Any, said: str) -> None:
    failing(sandbox, 422, body=json.dumps(body))
    assert said in await call.fails("list_spaces", "invalid_request")


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


@both_eras
@pytest.mark.parametrize(
    ("tool", "near"),
    [
        ("list_planets", "list_trackers"),
        ("run_tracker", "trigger_run"),
        ("getOverview", "get_overview"),
        ("list_scores", "compare_scores"),
        ("delete_source", "delete_vault_source"),
        ("spending", "get_spending"),
    ],
)
async def test_an_unknown_tool_is_answered_with_the_nearest_names(call: Caller, tool: str, near: str) -> None:
    text = await call.refused(tool)
    assert f'Unknown tool "{tool}"' in text
    assert near in text


async def test_a_tool_that_the_operator_left_out_is_said_to_be_left_out(sandbox: Sandbox) -> None:
    async with connected(sandbox, read_only=True) as call:
        assert "QUANTINAL_READ_ONLY" in await call.refused("delete_tracker", tracker_id=TESLA)


async def test_a_run_that_is_not_here_may_belong_to_another_tracker(call: Caller) -> None:
    where = {"tracker_id": SEMIS, "run_id": RUN}
    for tool in ("get_run", "wait_for_run", "delete_run"):
        text = await call.fails(tool, "not_found", **where)
        assert "belong to another tracker" in text
        assert f"list_runs(tracker_id={SEMIS})" in text
    assert "another tracker" in await call.fails("update_run_comment", "not_found", **where, comment="good")


async def test_the_services_own_words_are_rewritten_to_the_call_that_does_it(call: Caller, sandbox: Sandbox) -> None:
    said = "its vault is shared by 1 other tracker(s): ['trk_x']. They must set shared_vault_tracker_id to null first."
    body = json.dumps({"detail": f"Cannot delete tracker: {said}"})
    sandbox.faults.add(Fault("DELETE", "/trackers/", "status", code=409, body=body))
    text = await call.fails("delete_tracker", "conflict", tracker_id=TESLA, confirm_name="Tesla Sentiment")
    assert "null" not in text
    assert 'They must be changed first: update_tracker(tracker_id=…, clear_fields=["shared_vault_tracker_id"])' in text
    body = json.dumps({"detail": "A tracker cannot share its own vault; set shared_vault_tracker_id to null"})
    sandbox.faults.add(Fault("PATCH", "/trackers/", "status", code=400, body=body))
    own = await call.fails("update_tracker", "invalid_request", tracker_id=TESLA, shared_vault_tracker_id=SEMIS)
    assert "null" not in own
    assert 'update_tracker with clear_fields=["shared_vault_tracker_id"]' in own


async def test_the_words_of_a_library_do_not_come_out_of_the_service_either(call: Caller, sandbox: Sandbox) -> None:
    messages = [
        "Field required",
        "Input should be a valid string",
        "Value error, odd",
        "Extra inputs are not permitted",
    ]
    failing(sandbox, 422, body=json.dumps({"detail": [{"loc": ["body", "x"], "msg": one} for one in messages]}))
    text = await call.fails("list_spaces", "invalid_request")
    assert text.startswith("[invalid_request] x: is missing; x: should be a string; x: odd; x: is unknown.")


async def test_an_id_in_capitals_that_there_is_not_is_named_on_one_line(call: Caller) -> None:
    where = {"tracker_id": f" {TESLA.upper()}\n", "run_id": f"{RUN.upper()[:-1]}0\n"}
    text = await call.fails("get_run", "not_found", **where)
    assert f"has no run {RUN.upper()[:-1]}0." in text
