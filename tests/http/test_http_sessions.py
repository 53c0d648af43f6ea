"""How many sessions of handshake-era clients there may be, and which of them ends for a new one."""

from __future__ import annotations

import anyio
import pytest

from help.over_http import LONG, POST_RUN, Wire, opened, plain, serving, until
from help.seeded import ANN, BEN
from quantinal_mcp.client.shares import Share
from quantinal_mcp.sandbox import Fault, Sandbox
from quantinal_mcp.transports.bounds import Bounds
from quantinal_mcp.transports.sessions import Session, to_end

pytestmark = pytest.mark.anyio

FEW = Bounds(sessions=Share(account=3, unproven=6, total=6))


def session(name: str, *, used: bool = False, busy: bool = False) -> Session:
    """A session whose account is named by its first letter; `p` is proven."""
    return Session(name, name[0], 9 if used else 2, 1 if busy else 0, 0.0)


@pytest.mark.parametrize(
    ("sessions", "ended"),
    [
        ([], None),
        ([session("p1")], "p1"),
        ([session("p1", busy=True)], None),
        ([session("u1", busy=True)], "u1"),
        ([session("u1"), session("u2")], "u1"),
        ([session("u1", used=True), session("u2")], "u2"),
        ([session("u1", busy=True), session("u2", used=True)], "u2"),
        ([session("p1"), session("u1", used=True, busy=True)], "u1"),
        ([session("p1", busy=True), session("p2", used=True), session("p3")], "p3"),
        ([session("p1", busy=True), session("p2", busy=True, used=True)], None),
    ],
)
def test_unproven_idle_and_unused_sessions_end_first(sessions: list[Session], ended: str | None) -> None:
    chosen = to_end(sessions, "p".__eq__)
    assert (chosen.id if chosen else None) == ended


async def is_open(wire: Wire) -> bool:
    status = (await wire.send("ping", {})).status_code
    assert status in {200, 404}
    return status == 200


async def test_a_flood_of_sessions_with_made_up_tokens_ends_its_own(sandbox: Sandbox) -> None:
    async with serving(sandbox, FEW) as served:
        ann = await opened(served.url, ANN)
        await ann.call("list_spaces")
        made_up = [await opened(served.url, f"qapi_made-up-{number}") for number in range(20)]
        ben = await opened(served.url, BEN)
        await ben.call("list_spaces")
        assert [await is_open(wire) for wire in made_up] == [False] * 16 + [True] * 4
        assert await is_open(ann)
        assert await is_open(ben)


async def test_a_session_that_was_used_outlives_those_that_were_only_opened(sandbox: Sandbox) -> None:
    async with serving(sandbox, FEW) as served:
        honest = await opened(served.url, "qapi_honest")
        assert await is_open(honest)
        for number in range(20):
            await opened(served.url, f"qapi_made-up-{number}")
        assert await is_open(honest)


async def test_an_account_with_many_sessions_loses_the_longest_unused_one_of_its_own(sandbox: Sandbox) -> None:
    async with serving(sandbox, FEW) as served:
        ben = await opened(served.url, BEN)
        await ben.call("list_spaces")
        first, second, third = [await opened(served.url, ANN) for _ in range(3)]
        for wire in (second, third, first):
            await wire.call("list_spaces")
        fourth = await opened(served.url, ANN)
        assert [await is_open(wire) for wire in (first, second, third, fourth)] == [True, False, True, True]
        assert await is_open(ben)


async def test_a_session_in_the_middle_of_a_call_is_not_ended_and_a_new_one_refused(sandbox: Sandbox) -> None:
    async with serving(sandbox, Bounds(sessions=Share(account=1, unproven=2, total=2))) as served:
        ann = await opened(served.url, ANN)
        await ann.call("list_spaces")
        async with ann.begun("trigger_run", **LONG):
            await until(lambda: sandbox.count(*POST_RUN) == 1)
            async with plain() as http:
                client = {
                    "protocolVersion": "2025-06-18",
                    "capabilities": {},
                    "clientInfo": {"name": "x", "version": "1"},
                }
                body = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": client}
                headers = {"X-API-Key": ANN, "Accept": "application/json, text/event-stream"}
                refused = await http.post(f"{served.url}/mcp", headers=headers, json=body)
                assert refused.status_code == 429
                assert "sessions" in refused.json()["error"]["message"]
                taken = await http.post(f"{served.url}/mcp", headers={**headers, "X-API-Key": BEN}, json=body)
                assert taken.status_code == 200
        await until(lambda: served.in_flight == 0)
        await opened(served.url, ANN)


async def test_sessions_that_clients_delete_make_room(sandbox: Sandbox) -> None:
    async with serving(sandbox, FEW) as served, plain() as http:
        kept = await opened(served.url, ANN)
        for _ in range(10):
            wire = await opened(served.url, ANN)
            deleted = await http.delete(f"{served.url}/mcp", headers=wire.headers("ping", {}))
            assert deleted.status_code == 200
        assert await is_open(kept)


async def test_the_call_of_a_session_that_is_ended_is_answered_with_an_error(sandbox: Sandbox) -> None:
    async with serving(sandbox, Bounds(sessions=Share(account=1, unproven=1, total=1))) as served, plain() as http:
        # Nothing shows that the service takes this token, since nothing comes back.
        sandbox.faults.add(Fault("GET", "/spaces", "hang_before", seconds=30))
        ann = await opened(served.url, ANN)
        answers: list[str] = []

        async def call() -> None:
            request = ann.request(http, "tools/call", {"name": "list_spaces", "arguments": {}}, request_id=7)
            answers.append((await http.send(request)).text)

        with anyio.fail_after(10):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(call)
                await until(lambda: len(sandbox.requests) == 1)
                await opened(served.url, BEN)
        assert '"id": 7' in answers[0]
        assert "This request was ended" in answers[0]
