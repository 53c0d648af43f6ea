"""Which accounts a process forgets when it serves too many: idle ones only, and nothing is lost with them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from help.callers import memory_journal
from help.eras import virtual_time
from help.seeded import ANN, BEN, BENS_TESLA, TESLA, TOKEN, steer
from quantinal_mcp.accounts.account import Account, Accounts
from quantinal_mcp.client import Http
from quantinal_mcp.money.budget import Budget
from quantinal_mcp.money.ceilings import Ceilings
from quantinal_mcp.runs.orders import Order, Outcome
from quantinal_mcp.sandbox import Fault, Sandbox

pytestmark = [pytest.mark.anyio, virtual_time]

TOKENS = (ANN, BEN, TOKEN)


@asynccontextmanager
async def serving(sandbox: Sandbox, most: int) -> AsyncGenerator[Accounts]:
    http = Http("http://sandbox/v1", sandbox.transport())
    async with anyio.create_task_group() as tasks:
        yield Accounts(http, tasks, memory_journal(), Ceilings(budget=Budget(1)), most=most)
        tasks.cancel_scope.cancel()
    await http.aclose()


async def nothing(*_: object) -> None: ...


async def trigger(account: Account, tracker_id: str = TESLA, **order: Any) -> Outcome:
    wanted = Order(tracker_id, **order)
    deadline = anyio.current_time() + 20
    plan = await account.triggers.plan(wanted, deadline)
    return await account.triggers.carry_out(
        plan, wanted, is_agreed=False, can_ask=False, spend=nothing, deadline=deadline, tell=nothing
    )


async def test_the_longest_unused_account_is_forgotten_first() -> None:
    async with serving(Sandbox(tokens=TOKENS), most=2) as accounts:
        ann, ben = accounts.of(ANN), accounts.of(BEN)
        assert accounts.of(ANN) is ann
        accounts.of(TOKEN)
        assert len(accounts) == 2
        assert accounts.of(ANN) is ann
        assert accounts.of(BEN) is not ben


async def test_an_account_that_spent_is_forgotten_like_any_other_and_its_budget_is_not() -> None:
    async with serving(Sandbox(tokens=TOKENS), most=1) as accounts:
        ann = accounts.of(ANN)
        run = (await trigger(ann, context=steer(1))).run
        assert ann.is_idle
        accounts.of(BEN)
        again = accounts.of(ANN)
        assert again is not ann
        assert await again.triggers.budget_left() == pytest.approx(0.98)
        told = await trigger(again)
        assert (told.run["run_id"], told.took_over) == (run["run_id"], True)


async def test_an_account_whose_trigger_is_in_flight_is_kept_although_its_caller_has_gone() -> None:
    sandbox = Sandbox(tokens=TOKENS)
    sandbox.faults.add(Fault("POST", r"/runs$", "hang_after", seconds=10))
    async with serving(sandbox, most=1) as accounts:
        ann = accounts.of(ANN)
        with anyio.move_on_after(1):
            await trigger(ann, sync=True, context=steer(1))
        assert not ann.is_idle
        accounts.of(BEN)
        assert len(accounts) == 2
        assert accounts.of(ANN) is ann
        await anyio.sleep(20)
        assert ann.is_idle
        accounts.of(TOKEN)
        assert len(accounts) == 1


async def test_an_account_that_is_forgotten_while_it_waits_for_its_user_pays_once() -> None:
    sandbox = Sandbox(tokens=TOKENS)
    async with serving(sandbox, most=1) as accounts:
        waiting = accounts.of(ANN)
        order = Order(TESLA, sync=True, context=steer(1))
        plan = await waiting.triggers.plan(order, anyio.current_time() + 20)
        await trigger(accounts.of(BEN), BENS_TESLA)
        assert accounts.of(ANN) is not waiting
        sandbox.faults.add(Fault("POST", r"/runs$", "hang_after", seconds=5))
        with anyio.move_on_after(1):
            await waiting.triggers.carry_out(
                plan,
                order,
                is_agreed=False,
                can_ask=False,
                spend=nothing,
                deadline=anyio.current_time() + 20,
                tell=nothing,
            )
        told = await trigger(accounts.of(ANN), sync=True)
        assert told.took_over
        assert [run["run_id"] for run in sandbox.runs(ANN) if run["internal"]["origin"] == "api"] == [
            told.run["run_id"]
        ]
