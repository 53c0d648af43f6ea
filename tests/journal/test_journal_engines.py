"""What every engine of the journal promises, on each of them."""

from __future__ import annotations

import anyio
import pytest

from help.callers import gather
from help.journals import ACCOUNT, DAY, NOON, TRACKER, Clock, begun, got, intent
from quantinal_mcp.journal.engine import Engine
from quantinal_mcp.journal.records import Snapshot

pytestmark = pytest.mark.anyio


async def test_what_was_written_down_is_read_back_as_it_was(journal: Engine) -> None:
    written = intent(
        journal,
        sync=True,
        before=Snapshot.of(f"run_{number}" for number in range(300)),
        reserved=0.02,
        estimated=0.02,
        at_least=0.012,
        typical_seconds=61.5,
    )
    await journal.begin(written, None, None)
    assert await journal.get(written.intent_id) == written
    assert await journal.of(ACCOUNT, TRACKER) == [written]
    assert len(written.before) == 300
    assert "run_299" in (await got(journal, written.intent_id)).before
    assert "run_300" not in written.before
    assert await journal.get("another") is None


async def test_an_intent_that_the_caller_has_not_seen_keeps_another_from_beginning(journal: Engine) -> None:
    first = await begun(journal)
    assert await journal.begin(intent(journal), (), None) is None
    assert [one.intent_id for one in await journal.of(ACCOUNT, TRACKER)] == [first]
    assert await journal.begin(intent(journal, tracker_id="trk_two"), (), None) is not None
    assert await journal.begin(intent(journal, account="another"), (), None) is not None
    assert await journal.begin(intent(journal), {first}, None) is not None
    assert await journal.begin(intent(journal), None, None) is not None


async def test_what_was_refused_keeps_nobody_from_beginning(journal: Engine) -> None:
    assert await journal.move(await begun(journal), state="refused", owner=None)
    assert await journal.of(ACCOUNT, TRACKER) == []
    assert await journal.begin(intent(journal), (), None) is not None


async def test_of_equal_intents_at_once_one_begins(journal: Engine) -> None:
    answers = await gather(*[lambda: journal.begin(intent(journal), (), None)] * 5)
    assert sum(answer is not None for answer in answers) == 1
    assert len(await journal.of(ACCOUNT, TRACKER)) == 1


async def test_a_run_belongs_to_one_intent_and_the_service_knows_better_than_a_list(journal: Engine) -> None:
    guessed, named, late = await begun(journal), await begun(journal), await begun(journal)
    assert await journal.claim(guessed, "run_1", "likely")
    assert await journal.claim(guessed, "run_1", "likely")
    assert not await journal.claim(named, "run_1", "likely")
    assert not await journal.claim(guessed, "run_2", "likely")
    await journal.settle(ACCOUNT, {"run_1": (0.9, True)})

    assert await journal.claim(named, "run_1", "certain")
    robbed = await got(journal, guessed)
    assert (robbed.state, robbed.run_id, robbed.match) == ("lost", None, "certain")
    assert (robbed.charged, robbed.settled_at) == (None, None)
    assert not await journal.claim(late, "run_1", "certain")
    assert not await journal.claim(late, "run_1", "likely")
    assert await journal.claim(named, "run_1", "likely")
    assert ((await got(journal, named)).run_id, (await got(journal, named)).match) == ("run_1", "certain")
    assert (await got(journal, late)).run_id is None


async def test_another_run_than_the_guessed_one_takes_its_place_and_its_booking(journal: Engine) -> None:
    one, other = await begun(journal), await begun(journal)
    await journal.claim(one, "run_1", "likely")
    await journal.settle(ACCOUNT, {"run_1": (0.9, True)})
    assert await journal.claim(one, "run_2", "certain")
    corrected = await got(journal, one)
    assert (corrected.run_id, corrected.match, corrected.charged) == ("run_2", "certain", None)
    assert corrected.settled_at is None
    assert await journal.claim(other, "run_1", "likely")


async def test_accounts_have_runs_of_their_own(journal: Engine) -> None:
    assert await journal.claim(await begun(journal), "run_1", "certain")
    assert await journal.claim(await begun(journal, account="another"), "run_1", "certain")


async def test_what_was_refused_has_no_run(journal: Engine) -> None:
    one, other = await begun(journal), await begun(journal)
    await journal.claim(one, "run_1", "likely")
    assert await journal.move(one, state="refused")
    assert not await journal.claim(one, "run_2", "certain")
    assert not await journal.claim(one, "run_1", "likely")
    assert (await got(journal, one)).run_id is None
    assert await journal.claim(other, "run_1", "likely")
    assert not await journal.claim("another", "run_3", "certain")


async def test_an_intent_moves_only_from_the_state_it_was_seen_in(journal: Engine) -> None:
    one = await begun(journal)
    assert not await journal.move(one, state="given_up", owner=None)
    assert (await got(journal, one)).owner == journal.worker
    assert await journal.move(one, state="lost")
    assert await journal.claim(one, "run_1", "likely")
    assert not await journal.move(one, state="lost")
    assert not await journal.move(one, state="given_up")
    assert (await got(journal, one)).state == "known"
    assert not await journal.move("another", state="lost")


async def test_what_is_none_of_its_business_cannot_be_set(journal: Engine) -> None:
    with pytest.raises(TypeError, match="reserved"):
        await journal.move(await begun(journal), reserved=0.0)


async def test_an_intent_without_an_owner_is_taken_once(journal: Engine) -> None:
    one = await begun(journal)
    assert not await journal.take(one)
    await journal.move(one, state="lost", owner=None)
    assert sorted(await gather(*[lambda: journal.take(one)] * 4)) == [False, False, False, True]
    assert (await got(journal, one)).owner == journal.worker
    assert not await journal.take("another")


@pytest.mark.parametrize("end", ["answered", "given_up", "refused"])
async def test_what_is_over_is_not_taken(journal: Engine, end: str) -> None:
    one = await begun(journal, owner=None)
    await journal.move(one, state="lost")
    if end == "answered":
        await journal.claim(one, "run_1", "likely")
        await journal.move(one, answered_at=journal.now())
    else:
        await journal.move(one, state=end)
    assert not await journal.take(one)


async def test_one_whose_caller_was_told_that_there_is_no_run_is_still_taken(journal: Engine) -> None:
    one = await begun(journal)
    await journal.move(one, state="lost")
    await journal.move(one, unknown_at=journal.now(), owner=None)
    assert await journal.take(one)


async def test_a_tracker_shows_the_intents_of_a_day_oldest_first(journal: Engine, clock: Clock) -> None:
    ids: list[str] = []
    for time in (NOON - DAY - 1, NOON - DAY + 1, NOON - 1, NOON + DAY):
        clock.now = time
        ids.append(await begun(journal))
    await begun(journal, tracker_id="trk_two")
    await begun(journal, account="another")
    clock.now = NOON
    assert [one.intent_id for one in await journal.of(ACCOUNT, TRACKER)] == ids[1:]
    assert [one.intent_id for one in await journal.intents(ACCOUNT, NOON - DAY)][:2] == ids[1:3]
    assert len(await journal.intents(ACCOUNT, NOON - DAY)) == 4
    assert len(await journal.intents(None, 0)) == 6


async def test_an_answer_is_spent_once(journal: Engine, clock: Clock) -> None:
    assert sorted(await gather(*[lambda: journal.spend("one")] * 4)) == [False, False, False, True]
    clock.now += DAY
    assert await journal.spend("two")
    assert not await journal.spend("one")
    clock.now += 2 * DAY
    assert await journal.spend("one")  # no question waits so long, and no table grows for ever


async def test_what_is_a_hundred_days_old_is_forgotten_and_its_snapshot_long_before(
    journal: Engine, clock: Clock
) -> None:
    old = await begun(journal, before=Snapshot.of(["run_0"]))
    clock.now += DAY + 1
    await begun(journal)
    assert len((await got(journal, old)).before) == 1
    clock.now += 2 * DAY
    recent = await begun(journal, before=Snapshot.of(["run_0"]))
    assert len((await got(journal, old)).before) == 0
    assert len((await got(journal, recent)).before) == 1
    clock.now += 98 * DAY
    await begun(journal)
    assert await journal.get(old) is None
    assert (await got(journal, recent)).reserved == 0.1


async def test_a_clock_that_was_ahead_for_a_while_keeps_nothing_longer(journal: Engine, clock: Clock) -> None:
    clock.now += 1000 * DAY
    await begun(journal)
    clock.now = NOON
    old = await begun(journal)
    clock.now += 101 * DAY
    await begun(journal)
    assert await journal.get(old) is None


async def test_one_at_a_time_changes_a_tracker(journal: Engine) -> None:
    inside = most = 0

    async def change() -> None:
        nonlocal inside, most
        async with journal.exclusive(ACCOUNT, TRACKER):
            inside += 1
            most = max(most, inside)
            await anyio.sleep(0.01)
            inside -= 1

    await gather(*[change] * 4)
    assert most == 1


async def test_another_tracker_does_not_wait_for_it_and_who_stops_waiting_keeps_nobody_waiting(
    journal: Engine,
) -> None:
    async with journal.exclusive(ACCOUNT, TRACKER):
        with anyio.fail_after(5):
            async with journal.exclusive(ACCOUNT, "trk_two"), journal.exclusive("another", TRACKER):
                pass

        async def wait_in_vain() -> None:
            with anyio.move_on_after(0.05):
                async with journal.exclusive(ACCOUNT, TRACKER):
                    pytest.fail("two changed it at once")

        await gather(wait_in_vain)
    with anyio.fail_after(5):
        async with journal.exclusive(ACCOUNT, TRACKER):
            pass


async def test_it_opens_again_after_it_was_closed(journal: Engine) -> None:
    one = await begun(journal)
    await journal.aclose()
    other = await begun(journal)
    found = {one.intent_id for one in await journal.of(ACCOUNT, TRACKER)}
    assert other in found
    assert found <= {one, other}
