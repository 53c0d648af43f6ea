"""Journals that break at any step of a trigger: its run is told, and written down once they are mended."""

from __future__ import annotations

import itertools
import json

import anyio
import pytest

from help.callers import memory_journal
from help.seeded import TESLA
from help.steps import STEER, Scene, stepping, trigger
from quantinal_mcp.errors import InsufficientQuants, Misconfigured, OutcomeUnknown
from quantinal_mcp.money.budget import Budget
from quantinal_mcp.money.ceilings import Ceilings
from quantinal_mcp.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio


class Broken:
    """A journal that cannot be used from some question on, once a trigger is written down, until it is mended."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.questions = 0
        self.has_begun = False
        self.is_mended = False

    def __call__(self, name: str) -> None:
        self.questions += self.has_begun
        self.has_begun = self.has_begun or name == "begin"
        if self.questions >= self.at and not self.is_mended:
            raise Misconfigured("The journal cannot be used.")


@pytest.mark.parametrize(("fault", "sync"), [("answered", False), ("late", True)])
async def test_a_journal_that_breaks_after_the_trigger_was_sent_keeps_nobody_from_their_run(
    fault: str, sync: bool
) -> None:
    steer = {"sandbox": {"seconds": 2, "fail": False}}
    scene, at = Scene(fault), 0
    for at in itertools.count(1):
        await scene.begin()
        journal, broken = memory_journal(), Broken(at)
        async with stepping(scene.sandbox, journal, asked=broken) as account:
            outcome = await trigger(account, sync=sync, context=steer)
            assert scene.created() == [outcome.run["run_id"]], at
            if broken.questions < at:
                break
            broken.is_mended = True
            again = await trigger(account, sync=sync)
            assert (again.run["run_id"], again.took_over) == (outcome.run["run_id"], True), at
            (record,) = await journal.intents(None, 0)
            assert (record.run_id, record.match, record.owner) == (outcome.run["run_id"], "certain", None), at
    assert at > 2


async def test_a_run_whose_answer_was_lost_while_the_journal_was_broken_is_found_once_it_is_mended() -> None:
    scene, journal, broken = Scene("dropped"), memory_journal(), Broken(1)
    await scene.begin()
    async with stepping(scene.sandbox, journal, asked=broken) as account:
        with pytest.raises(Misconfigured):
            await trigger(account)
        with pytest.raises(Misconfigured):
            await trigger(account)
        broken.is_mended = True
        outcome = await trigger(account)
        assert (scene.created(), outcome.took_over) == ([outcome.run["run_id"]], True)


async def test_a_refusal_that_could_not_be_written_down_is_written_down_later() -> None:
    sandbox, journal, broken = Sandbox(), memory_journal(), Broken(1)
    sandbox.faults.add(Fault("POST", r"/runs$", "status", code=402, body='{"detail": "No quants"}'))
    async with stepping(sandbox, journal, asked=broken, ceilings=Ceilings(budget=Budget(1))) as account:
        with pytest.raises(InsufficientQuants):
            await trigger(account)
        broken.is_mended = True
        outcome = await trigger(account)
        assert (outcome.took_over, sandbox.count("POST", r"/runs$")) == (False, 2)
        assert await account.triggers.budget_left() == pytest.approx(0.98)


async def test_what_could_not_be_written_down_is_written_down_although_nobody_calls_again() -> None:
    sandbox, journal, broken = Sandbox(), memory_journal(), Broken(1)
    async with stepping(sandbox, journal, asked=broken) as account:
        run_id = (await trigger(account)).run["run_id"]
        (record,) = await journal.intents(None, 0)
        assert record.state == "sent"
        broken.is_mended = True
        await anyio.sleep(60)
        (record,) = await journal.intents(None, 0)
        assert (record.state, record.run_id, record.owner) == ("known", run_id, None)


async def test_a_charge_that_could_not_be_booked_is_booked_although_nobody_calls_again() -> None:
    sandbox, journal, is_broken = Sandbox(), memory_journal(), False

    def breaks(name: str) -> None:
        if is_broken and name == "settle":
            raise Misconfigured("disk full")

    async with stepping(sandbox, journal, asked=breaks) as account:
        for _ in range(2):
            run_id = (await trigger(account, context=STEER, again=True)).run["run_id"]
            await anyio.sleep(30)
            is_broken = True
            assert (await account.runs.get(TESLA, run_id)).get("quants_used") == 0.02
            assert (await journal.intents(None, 0))[-1].charged is None
            is_broken = False
            await anyio.sleep(60)
            assert (await journal.intents(None, 0))[-1].charged == 0.02


async def test_a_run_is_told_although_the_journal_was_lost_while_it_was_sent() -> None:
    sandbox, journal = Sandbox(), memory_journal()

    def lose(name: str) -> None:
        if name == "claim":
            journal.close()

    async with stepping(sandbox, journal, asked=lose) as account:
        outcome = await trigger(account)
        assert (outcome.run["status"], outcome.match) == ("pending", None)
        assert await journal.intents(None, 0) == []


async def test_nothing_is_sent_that_cannot_be_written_down() -> None:
    sandbox, journal = Sandbox(), memory_journal()

    def breaks(name: str) -> None:
        if name == "begin":
            raise Misconfigured("disk full")

    async with stepping(sandbox, journal, asked=breaks) as account:
        with pytest.raises(Misconfigured, match="disk full"):
            await trigger(account)
        assert sandbox.count("POST", r"/runs$") == 0


async def test_a_journal_that_breaks_while_a_run_turns_out_to_be_anothers_ends_no_server() -> None:
    sandbox, journal, asked = Sandbox(), memory_journal(), list[str]()
    is_armed = False

    def breaks(name: str) -> None:
        asked.append(name)
        if is_armed and asked[-2:] == ["claim", "get"]:
            raise Misconfigured("disk full")

    async with stepping(sandbox, journal, asked=breaks) as account:
        first = await trigger(account)
        answer = json.dumps({"run_id": first.run["run_id"], "status": "pending", "tracker_id": TESLA})
        sandbox.faults.add(Fault("POST", r"/runs$", "status", code=202, body=answer))
        is_armed = True
        with pytest.raises(OutcomeUnknown):
            await trigger(account, again=True)
        assert asked.count("claim") == 2


async def test_an_account_is_not_idle_while_what_came_of_its_trigger_is_not_written_down() -> None:
    sandbox, journal, is_broken = Sandbox(), memory_journal(), False

    def breaks(name: str) -> None:
        if is_broken and name in {"claim", "move"}:
            raise Misconfigured("disk full")

    async with stepping(sandbox, journal, asked=breaks) as account:
        assert account.is_idle
        is_broken = True
        run = (await trigger(account)).run
        assert not account.is_idle
        is_broken = False
        assert (await trigger(account)).run["run_id"] == run["run_id"]
        assert account.is_idle
