"""Whose request goes to the service next, and how many may be under way."""

from __future__ import annotations

from typing import Any

import anyio
import anyio.lowlevel
import httpx
import pytest
from anyio.abc import TaskGroup

from help.eras import virtual_time
from help.seeded import TESLA
from quantinal_mcp.client import Http, QuantinalClient
from quantinal_mcp.client.accepted import Accepted, digest_of
from quantinal_mcp.client.shares import Held, Share
from quantinal_mcp.client.turns import QUICK, SLOW_SECONDS, Turns
from quantinal_mcp.errors import RateLimited

pytestmark = pytest.mark.anyio


class Service(httpx.AsyncBaseTransport):
    """Takes a minute for requests with `slow` in their token, and refuses those with `unknown`."""

    def __init__(self) -> None:
        self.under_way = 0
        self.most = 0
        self.asked: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        token = request.headers["authorization"].removeprefix("Bearer ")
        self.asked.append(token)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await anyio.sleep(11 if "slow" in token else 0.1)
        finally:
            self.under_way -= 1
        if "unknown" in token:
            return httpx.Response(401, json={"detail": "Who?"})
        if request.method == "POST":
            return httpx.Response(201, json={"run_id": "run_1", "status": "pending"})
        return httpx.Response(200, json={"data": []})


def begin(tasks: TaskGroup, http: Http, token: str, count: int) -> None:
    for _ in range(count):
        tasks.start_soon(QuantinalClient(http, token).list_spaces)


async def seconds_for(client: QuantinalClient) -> float:
    began = anyio.current_time()
    await client.list_spaces()
    return anyio.current_time() - began


@virtual_time
async def test_slow_requests_of_one_account_hold_up_anothers_for_a_second() -> None:
    service = Service()
    http = Http("http://service/v1", service)
    async with anyio.create_task_group() as tasks:
        begin(tasks, http, "slow", 40)
        await anyio.sleep(0.5)
        assert service.under_way == QUICK
        assert await seconds_for(QuantinalClient(http, "quick")) < SLOW_SECONDS + 0.2
        await anyio.sleep(2)
        assert service.under_way == 16
        for _ in range(3):
            assert await seconds_for(QuantinalClient(http, "quick")) < 0.2
        tasks.cancel_scope.cancel()
    assert service.most <= 16 + 1


@pytest.mark.patient
@virtual_time
async def test_many_quick_requests_of_one_account_hold_up_anothers_for_one_turn() -> None:
    service = Service()
    http = Http("http://service/v1", service)
    async with anyio.create_task_group() as tasks:
        begin(tasks, http, "busy", 400)
        await anyio.sleep(0.05)
        assert await seconds_for(QuantinalClient(http, "quick")) < 0.3
        assert len(service.asked) < 40
    assert service.most == QUICK


@virtual_time
async def test_one_account_alone_goes_at_once_and_in_order() -> None:
    turns = Turns(Share(16, 16, 64), lambda _: True)
    gone: list[int] = []

    async def go(number: int) -> None:
        async with turns.taken("ann"):
            gone.append(number)
            await anyio.sleep(0.1)

    async with anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(go, number)
            await anyio.sleep(0.001)
    assert gone == list(range(20))


@virtual_time
async def test_who_gives_up_waiting_takes_no_turn_away() -> None:
    turns = Turns(Share(16, 16, 64), lambda _: True)

    async def hold(seconds: float) -> None:
        async with turns.taken("ann"):
            await anyio.sleep(seconds)

    async with anyio.create_task_group() as tasks:
        for _ in range(QUICK):
            tasks.start_soon(hold, 0.5)
        await anyio.lowlevel.checkpoint()
        with anyio.move_on_after(0.1) as gave_up:
            async with anyio.create_task_group() as waiting:
                for _ in range(20):
                    waiting.start_soon(hold, 60)
        assert gave_up.cancelled_caught
        with anyio.fail_after(0.5):
            for _ in range(3 * QUICK):
                await hold(0)


@pytest.mark.patient
@virtual_time
async def test_unproven_tokens_have_a_small_share_together() -> None:
    service = Service()
    http = Http("http://service/v1", service)
    await QuantinalClient(http, "known").list_spaces()
    async with anyio.create_task_group() as tasks:
        for number in range(200):
            begin(tasks, http, f"slow-unknown-{number}", 1)
        await anyio.sleep(5)
        assert service.under_way == 16
        assert await seconds_for(QuantinalClient(http, "known")) < 0.2
        tasks.cancel_scope.cancel()


@virtual_time
async def test_posts_beyond_an_accounts_share_are_not_sent_and_do_not_wait_long() -> None:
    service = Service()
    http = Http("http://service/v1", service)

    async def trigger(token: str) -> Any:
        return await QuantinalClient(http, token).trigger_run(TESLA, sync=True, context=None, seconds=60)

    for token in ("slow", "quick"):
        await QuantinalClient(http, token).list_spaces()
    service.asked.clear()
    async with anyio.create_task_group() as tasks:
        for _ in range(16):
            tasks.start_soon(trigger, "slow")
        await anyio.sleep(1)
        began = anyio.current_time()
        with pytest.raises(RateLimited, match="Wait a moment"):
            await trigger("slow")
        assert anyio.current_time() - began < 10
        assert len(service.asked) == 16
        assert (await trigger("quick"))["run_id"] == "run_1"
    assert (await trigger("slow"))["run_id"] == "run_1"


def test_a_token_is_accepted_once_it_brought_a_success_and_the_last_are_remembered() -> None:
    accepted = Accepted()
    accepted.note("qapi_again")
    for number in range(9_999):
        accepted.note(f"qapi_{number}")
    for token in ("qapi_again", "qapi_new", "qapi_newest"):
        accepted.note(token)
    remembered = [digest_of(token) in accepted for token in ("qapi_0", "qapi_1", "qapi_2", "qapi_newest", "qapi_again")]
    assert remembered == [False, False, True, True, True]


def test_what_accounts_hold_is_counted_for_each_for_the_unproven_and_in_all() -> None:
    held = Held(Share(account=3, unproven=4, total=8), {"ann", "ben"}.__contains__)
    assert [held.take("ann", 1) for _ in range(4)] == [None, None, None, 429]
    assert [held.take("x", 3), held.take("y", 2), held.take("y", 1)] == [None, 503, None]
    assert [held.take("ben", 2), held.take("ben", 1)] == [503, None]
    held.give_back("x", 3)
    assert [held.take("y", 3), held.take("y", 2), held.take("z", 2)] == [429, None, 503]
