"""What every engine of the journal promises of amounts: what is covered, reserved, charged and final."""

from __future__ import annotations

from typing import Any

import pytest

from help.callers import gather
from help.journals import ACCOUNT, DAY, NOON, TODAY, TRACKER, Clock, begun, got, intent
from quantinal_mcp.journal.engine import Engine
from quantinal_mcp.journal.records import Allowance, NotCovered

pytestmark = pytest.mark.anyio


async def test_nothing_begins_that_the_allowance_does_not_cover(journal: Engine) -> None:
    assert await journal.begin(intent(journal, reserved=0.7), None, TODAY) == pytest.approx(0.3)
    with pytest.raises(NotCovered) as refused:
        await journal.begin(intent(journal, reserved=0.31), None, TODAY)
    assert refused.value.left == pytest.approx(0.3)
    assert await journal.begin(intent(journal, reserved=0.3), None, TODAY) == pytest.approx(0)
    assert await journal.begin(intent(journal, reserved=0.31, account="another"), None, TODAY) is not None
    assert len(await journal.of(ACCOUNT, TRACKER)) == 2


async def test_amounts_that_add_up_to_the_allowance_are_covered_by_it(journal: Engine) -> None:
    allowance = Allowance(0.3, TODAY.since, TODAY.until)
    for reserved in (0.1, 0.2):  # in binary 0.3 - 0.1 is less than 0.2
        assert await journal.begin(intent(journal, reserved=reserved), None, allowance) is not None


async def test_what_is_begun_at_once_does_not_overrun_the_allowance_together(journal: Engine) -> None:
    async def one() -> bool:
        try:
            return await journal.begin(intent(journal, reserved=0.3), None, TODAY) is not None
        except NotCovered:
            return False

    assert sum(await gather(*[one] * 6)) == 3
    assert await journal.committed(ACCOUNT, TODAY) == pytest.approx(0.9)


YESTERDAY = NOON - DAY
TOMORROW = NOON + DAY


@pytest.mark.parametrize(
    ("begun_at", "settled", "state", "counts"),
    [
        (NOON, None, "known", 0.1),
        (NOON, None, "lost", 0.1),
        (NOON, None, "given_up", 0.1),
        (NOON, None, "refused", 0),
        (NOON, (0.03, NOON), "known", 0.03),
        (NOON, (0.4, NOON), "known", 0.4),
        (NOON, (0.03, None), "known", 0.1),
        (NOON, (0.4, None), "known", 0.4),
        (NOON, (0.03, TOMORROW), "known", 0.1),
        (YESTERDAY, None, "known", 0),
        (YESTERDAY, (0.03, YESTERDAY), "known", 0),
        (YESTERDAY, (0.03, NOON), "known", 0),
        (YESTERDAY, (0.4, NOON), "known", 0.3),
        (YESTERDAY, (0.4, None), "known", 0),
        (TOMORROW, None, "known", 0),
    ],
)
async def test_a_reservation_counts_until_it_is_settled_and_what_was_charged_beyond_it_when_it_is_known(
    journal: Engine, clock: Clock, begun_at: float, settled: Any, state: str, counts: float
) -> None:
    clock.now = begun_at
    one = await begun(journal, reserved=0.1)
    if state == "known":
        await journal.claim(one, "run_1", "certain")
    else:
        await journal.move(one, state="lost")
        await journal.move(one, state=state)
    if settled is not None:
        charged, clock.now = settled[0], settled[1] or NOON
        await journal.settle(ACCOUNT, {"run_1": (charged, settled[1] is not None)})
    assert await journal.committed(ACCOUNT, TODAY) == pytest.approx(counts)
    assert await journal.committed("another", TODAY) == 0


async def test_what_was_booked_as_final_stays_and_only_what_can_be_true_is_booked(journal: Engine) -> None:
    one = await begun(journal, reserved=0.1)
    await journal.claim(one, "run_1", "certain")
    await journal.settle(ACCOUNT, {"run_1": (-5.0, True), "run_other": (7.0, True)})
    assert (await got(journal, one)).charged is None
    await journal.settle("another", {"run_1": (7.0, True)})
    await journal.settle(ACCOUNT, {"run_1": (0.05, False)})
    assert ((await got(journal, one)).charged, (await got(journal, one)).settled_at) == (0.05, None)
    await journal.settle(ACCOUNT, {"run_1": (0.2, True)})
    await journal.settle(ACCOUNT, {"run_1": (0.0, True)})
    assert ((await got(journal, one)).charged, (await got(journal, one)).settled_at) == (0.2, NOON)


async def test_what_was_seen_of_a_charge_before_it_was_final_does_not_undo_that(journal: Engine) -> None:
    one = await begun(journal, reserved=0.1)
    await journal.claim(one, "run_1", "certain")
    await gather(
        lambda: journal.settle(ACCOUNT, {"run_1": (0.2, True)}),
        lambda: journal.settle(ACCOUNT, {"run_1": (0.05, False)}),
    )
    assert ((await got(journal, one)).charged, (await got(journal, one)).settled_at) == (0.2, NOON)


async def test_a_clock_set_back_by_a_day_frees_nothing_and_spends_nothing_again(journal: Engine, clock: Clock) -> None:
    one = await begun(journal, reserved=0.4)
    assert await journal.spend("answer")
    clock.now -= DAY
    assert [found.intent_id for found in await journal.of(ACCOUNT, TRACKER)] == [one]
    assert await journal.begin(intent(journal), (), None) is None
    assert not await journal.spend("answer")
    yesterday = Allowance(0.5, TODAY.since - DAY, TODAY.until - DAY)
    assert await journal.begin(intent(journal, reserved=0.5), None, yesterday) is not None
    with pytest.raises(NotCovered):
        await journal.begin(intent(journal, reserved=0.1), None, yesterday)
    clock.now += DAY
    assert await journal.committed(ACCOUNT, TODAY) == pytest.approx(0.4)
