"""Several processes on one journal: one owner, one adopter, one yes, whoever dies."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from help.callers import gather
from help.journals import ACCOUNT, TODAY, TRACKER, at, begun, changing, die, got, intent
from quantinal_mcp.journal.engine import Engine
from quantinal_mcp.journal.records import NotCovered
from quantinal_mcp.journal.sqlite import SqliteJournal
from quantinal_mcp.journal.workers import Workers

pytestmark = pytest.mark.anyio

Opened = Callable[[], Engine]
OnFile = Callable[[], SqliteJournal]


async def test_what_one_process_works_on_is_left_to_it(process: Opened) -> None:
    one, other = process(), process()
    sent = await begun(one)
    assert (await got(other, sent)).state == "sent"
    assert not await other.take(sent)
    assert await other.begin(intent(other), (), None) is None
    await other.move(sent, owner=None)
    assert (await got(other, sent)).owner == one.worker
    assert (await got(one, sent)).owner == one.worker


async def test_what_a_dead_one_sent_is_lost_and_goes_to_exactly_one(process: Opened) -> None:
    dead, *others = [process() for _ in range(4)]
    sent = await begun(dead)
    await die(dead)
    assert [(await got(one, sent)).state for one in others] == ["lost"] * 3
    assert [(await got(one, sent)).owner for one in others] == [None] * 3
    assert sorted(await gather(*[lambda one=one: one.take(sent) for one in others])) == [False, False, True]
    (owner,) = {(await got(one, sent)).owner for one in others}
    assert owner in {one.worker for one in others}


async def test_what_a_dead_one_knew_is_known(process: Opened) -> None:
    dead, other = process(), process()
    sent = await begun(dead)
    await dead.claim(sent, "run_1", "certain")
    await die(dead)
    assert (await got(other, sent)).run_id == "run_1"
    assert await other.take(sent)
    assert (await got(other, sent)).state == "known"


async def test_what_the_adopter_of_a_dead_one_had_goes_on_to_the_next(process: Opened) -> None:
    sender, adopter, last = process(), process(), process()
    sent = await begun(sender)
    await die(sender)
    assert await adopter.take(sent)
    await die(adopter)
    assert (await got(last, sent)).owner is None
    assert await last.take(sent)


async def test_a_clean_end_lets_go_at_once(process: Opened) -> None:
    ended, other = process(), process()
    sent = await begun(ended)
    await ended.aclose()
    assert await other.take(sent)


async def test_budgets_bind_all_of_them(process: Opened) -> None:
    journals = [process() for _ in range(3)]

    async def one(journal: Engine) -> bool:
        try:
            return await journal.begin(intent(journal, reserved=0.3), None, TODAY) is not None
        except NotCovered:
            return False

    assert sum(await gather(*[lambda journal=journal: one(journal) for journal in journals * 3])) == 3
    await die(journals[0])
    assert await journals[1].committed(ACCOUNT, TODAY) == pytest.approx(0.9)


async def test_of_equal_intents_at_once_one_begins(process: Opened) -> None:
    journals = [process() for _ in range(3)]
    begins = await gather(*[lambda one=one: one.begin(intent(one), (), None) for one in journals])
    assert sum(left is not None for left in begins) == 1


async def test_a_yes_is_spent_once_whichever_it_reaches(process: Opened) -> None:
    journals = [process() for _ in range(3)]
    assert sum(await gather(*[lambda one=one: one.spend("yes") for one in journals])) == 1


async def test_what_one_triggered_is_settled_by_whichever_sees_it(process: Opened) -> None:
    one, other = process(), process()
    sent = await begun(one, reserved=0.9)
    await one.claim(sent, "run_1", "certain")
    await die(one)
    await other.settle(ACCOUNT, {"run_1": (0.2, True)})
    assert await other.committed(ACCOUNT, TODAY) == pytest.approx(0.2)


async def test_a_tracker_is_changed_by_one_at_a_time_and_the_dead_hold_nobody_up(
    on_file: OnFile, tmp_path: Path
) -> None:
    one, other = on_file(), on_file()
    one.try_out()
    change = changing()
    await gather(*[lambda journal=journal: change(journal) for journal in (one, other, one, other)])
    folder = tmp_path / "journal.db.workers"
    assert [path.name for path in folder.iterdir()] == [one.worker]
    # As a killed process leaves it: there, and locked by nobody.
    lock = Workers(folder, "")._try("lock-left")  # pyright: ignore[reportPrivateUsage]
    assert lock is not None
    os.close(lock)
    with anyio.fail_after(5):
        async with Workers(folder, "").exclusive("left"):
            pass


async def test_files_are_their_owners_alone(on_file: OnFile, tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        journal = at(tmp_path / "new" / "deeper" / "journal.db")
        await begun(journal)
        async with journal.exclusive(ACCOUNT, TRACKER):
            made = [path.stat().st_mode for path in (tmp_path / "new", *(tmp_path / "new").rglob("*"))]
        await journal.aclose()
    finally:
        os.umask(old)
    assert [stat.S_IMODE(mode) for mode in made if stat.S_ISREG(mode)] == [0o600] * 3
    assert [stat.S_IMODE(mode) for mode in made if stat.S_ISDIR(mode)] == [0o700] * 3


async def test_an_empty_file_that_was_put_there_becomes_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.touch(0o644)
    journal = at(path)
    await begun(journal)
    await journal.aclose()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_what_dead_ones_left_is_removed_in_time(on_file: OnFile, tmp_path: Path) -> None:
    folder = tmp_path / "journal.db.workers"
    dead, alive = on_file(), on_file()
    dead.try_out()
    alive.try_out()
    await die(dead)
    yesterday = time.time() - 90_000
    for worker in (dead.worker, alive.worker):
        os.utime(folder / worker, (yesterday, yesterday))
    assert len(list(folder.iterdir())) == 2
    newest = on_file()
    newest.try_out()
    assert {path.name for path in folder.iterdir()} == {alive.worker, newest.worker}
    await begun(alive)
    assert (await newest.of(ACCOUNT, TRACKER))[0].state == "sent"
    await alive.aclose()
    assert [path.name for path in folder.iterdir()] == [newest.worker]
