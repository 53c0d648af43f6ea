"""Where a token or quants are lacking, a client that can opens the console for its user; nothing is sent twice."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import anyio
import pytest
from mcp.client.session import ClientRequestContext
from mcp_types import ElicitRequestParams, ElicitRequestURLParams, ElicitResult, ErrorData, InputRequiredResult

from help.callers import connected, text_of
from help.eras import both_eras, virtual_time
from help.seeded import PORTFOLIO, TESLA, Json
from quantinal_mcp.protocol.console import AGAIN_SECONDS
from quantinal_mcp.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio

CONSOLE = "https://console.example/quantinal"


@dataclass
class Visitor:
    """A user whom pages are offered; says yes to any other question."""

    action: Literal["accept", "decline", "cancel"] = "accept"
    thinks: float = 0
    """Seconds until the answer."""
    breaks: bool = False
    offered: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    asked: int = 0

    async def __call__(
        self,
        context: ClientRequestContext,  # noqa: ARG002
        params: ElicitRequestParams,
    ) -> ElicitResult | ErrorData:
        if not isinstance(params, ElicitRequestURLParams):
            self.asked += 1
            return ElicitResult(action="accept", content={"confirm": True})
        self.offered.append((params.url, params.message))
        await anyio.sleep(self.thinks)
        return ErrorData(code=-32603, message="no browser") if self.breaks else ElicitResult(action=self.action)


@both_eras
@pytest.mark.parametrize(
    ("action", "said"),
    [
        ("accept", "then to restart this server. The user was shown the console; call again once they say that"),
        ("decline", "then to restart this server. The user did not want to open the console."),
        ("cancel", "then to restart this server."),
    ],
)
async def test_without_a_token_the_user_is_offered_the_page_that_makes_one(
    mode: str, action: Literal["accept", "decline", "cancel"], said: str
) -> None:
    sandbox, user = Sandbox(), Visitor(action)
    async with connected(sandbox, mode, user=user, token=None, console_url=CONSOLE) as call:
        text = await call.fails("get_tracker", "no_token", tracker_id=TESLA)
    ((url, why),) = user.offered
    assert url == CONSOLE
    assert "Account → API Tokens" in why
    assert said in text
    assert text.endswith(("done.", "console.", "server."))
    assert not sandbox.requests


@both_eras
async def test_without_quants_they_are_offered_the_page_that_sells_them_and_one_trigger_is_sent(mode: str) -> None:
    sandbox, user = Sandbox(balance=0), Visitor()
    async with connected(sandbox, mode, user=user, console_url=CONSOLE) as call:
        text = await call.fails("trigger_run", "insufficient_quants", tracker_id=PORTFOLIO)
    assert [url for url, _ in user.offered] == [CONSOLE]
    assert text.endswith("The user was shown the console; call again once they say that it is done.")
    assert user.asked == 1  # whether the run may cost so much, before it
    assert call.posts == 1


@both_eras
async def test_nothing_is_said_of_a_run_where_an_upload_lacks_quants(mode: str) -> None:
    sandbox, user = Sandbox(), Visitor()
    sandbox.faults.add(Fault("POST", r"/vault/", "status", code=402, body='{"detail": "Insufficient quants"}'))
    async with connected(sandbox, mode, user=user, console_url=CONSOLE) as call:
        rows = {"tracker_id": TESLA, "source_name": "notes", "data": [{"a": 1}]}
        await call.fails("upload_vault_json", "insufficient_quants", **rows)
    ((_, why),) = user.offered
    assert " run" not in why


@both_eras
async def test_the_next_call_after_they_have_topped_up_goes_through(mode: str) -> None:
    sandbox, user = Sandbox(balance=0), Visitor()
    async with connected(sandbox, mode, user=user, console_url=CONSOLE) as call:
        await call.fails("trigger_run", "insufficient_quants", tracker_id=TESLA)
        sandbox.world.account().balance = 5
        assert (await call.trigger())["run_id"]
    assert (call.posts, call.created) == (2, 1)


@both_eras
@virtual_time
async def test_it_is_not_offered_again_within_ten_minutes(mode: str) -> None:
    user = Visitor()
    async with connected(Sandbox(balance=0), mode, user=user, token=None, console_url=CONSOLE) as call:
        for _ in range(3):
            await call.fails("list_spaces", "no_token")
        assert len(user.offered) == 1
        await anyio.sleep(AGAIN_SECONDS)
        await call.fails("list_spaces", "no_token")
        assert len(user.offered) == 2


@virtual_time
@pytest.mark.parametrize(
    ("setting", "arguments", "takes", "held"),
    [
        (30, {}, 0, 30),
        (30, {"wait_seconds": 10}, 0, 10),
        (30, {"waitSeconds": "10"}, 0, 10),
        (30, {"wait_seconds": None}, 0, 30),
        (30, {}, 20, 30),
        (30, {}, 26.5, 31.5),
        (0, {}, 0, 5),
    ],
)
async def test_a_user_who_does_not_answer_keeps_the_failure_hardly_longer_than_a_wait(
    setting: float, arguments: Json, takes: float, held: float
) -> None:
    user, sandbox = Visitor(thinks=1000), Sandbox(balance=0)
    sandbox.faults.add(Fault("POST", r"/runs$", "hang_before", seconds=takes))
    async with connected(sandbox, "legacy", user=user, console_url=CONSOLE, wait_seconds=setting) as call:
        started = anyio.current_time()
        text = await call.fails("trigger_run", "insufficient_quants", tracker_id=TESLA, sync=True, **arguments)
        assert anyio.current_time() - started == pytest.approx(held, abs=0.5)
    assert text.endswith("until then.")
    assert user.offered


@virtual_time
async def test_an_answer_that_comes_again_sends_nothing() -> None:
    sandbox = Sandbox(balance=0)
    async with connected(sandbox, user=Visitor(), console_url=CONSOLE) as call:
        session, trigger = call.client.session, {"tracker_id": TESLA}
        asked = await session.call_tool("trigger_run", trigger, allow_input_required=True)
        assert isinstance(asked, InputRequiredResult)
        assert asked.request_state
        assert "insufficient" not in asked.request_state
        sandbox.world.account().balance = 5
        for _ in range(2):
            answered = await session.call_tool(
                "trigger_run",
                trigger,
                input_responses={"console": ElicitResult(action="accept")},
                request_state=asked.request_state,
            )
            assert text_of(answered).startswith("[insufficient_quants] ")
    assert call.posts == 1


async def test_a_client_that_fails_to_ask_costs_nobody_the_failure() -> None:
    user = Visitor(breaks=True)
    async with connected(Sandbox(), "legacy", user=user, token=None, console_url=CONSOLE) as call:
        assert (await call.fails("list_spaces", "no_token")).endswith("server.")
    assert user.offered


@both_eras
async def test_a_client_that_cannot_open_pages_reads_the_failure(mode: str) -> None:
    async with connected(Sandbox(), mode, token=None, console_url=CONSOLE) as call:
        assert (await call.fails("list_spaces", "no_token")).endswith("server.")


@both_eras
async def test_nothing_is_offered_where_no_address_is_known(mode: str) -> None:
    user = Visitor()
    async with connected(Sandbox(), mode, user=user, token=None) as call:
        await call.fails("list_spaces", "no_token")
    assert not user.offered


@both_eras
async def test_nothing_is_offered_where_quants_are_not_for_sale(mode: str) -> None:
    user, sandbox = Visitor(), Sandbox(balance=0)
    async with connected(sandbox, mode, user=user, console_url=CONSOLE, sandbox=True) as call:
        await call.fails("trigger_run", "insufficient_quants", tracker_id=TESLA)
    assert not user.offered


@both_eras
async def test_nothing_is_offered_for_a_failure_that_the_console_does_not_mend(mode: str) -> None:
    user = Visitor()
    async with connected(Sandbox(), mode, user=user, console_url=CONSOLE) as call:
        await call.fails("get_tracker", "not_found", tracker_id=TESLA[:-1] + "0")
    assert not user.offered
