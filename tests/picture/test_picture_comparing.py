"""Several trackers in one picture: told apart by form and colour, and how alike they move."""

from __future__ import annotations

import re

import pytest

from help.scores import FACTORS, comparison, course, history
from help.stage import Stage

pytestmark = [pytest.mark.anyio, pytest.mark.picture]

SWATCHES = """() => [...document.querySelectorAll(".legend path")].map((one) => {
  const { fill, stroke } = getComputedStyle(one);
  return [one.getAttribute("d"), fill, stroke].join();
})"""


async def test_series_are_compared_in_forms_and_colours_of_their_own(stage: Stage) -> None:
    answer = comparison(10)
    await stage.show(answer, arguments={"tracker_ids": [f"trk_{place}" for place in range(10)]})
    assert "10 trackers compared" in await stage.text()
    looks = await stage.look(SWATCHES)
    assert len(looks) == len(set(looks)) == 10
    assert await stage.find(".course").count() == 10
    assert await stage.find(".pairs li").count() == 45


async def test_a_series_can_be_switched_off_and_on_again(stage: Stage) -> None:
    await stage.show(comparison(3))
    chip = stage.find(".legend button").nth(1)
    await chip.click()
    assert await chip.get_attribute("aria-pressed") == "false"
    assert await stage.find(".course").count() == 2
    assert "Nvidia" not in await stage.find(".detail").inner_text()
    await stage.find(".legend button").nth(0).click()
    await stage.find(".legend button").nth(2).click()
    assert await stage.find(".course").count() == 0
    assert "Every tracker is switched off" in await stage.text()
    await chip.click()
    assert await stage.find(".course").count() == 1
    assert "Nvidia" in await stage.find(".detail").inner_text()


async def test_pairs_say_how_alike_they_move_also_without_the_scores(stage: Stage) -> None:
    answer = comparison(3)
    await stage.show(answer)
    [first, _, last] = await stage.find(".pairs li").all_inner_texts()
    assert (
        re.sub(r"\s+", " ", first)
        == "Tesla Sentiment and Nvidia Sentiment r of scores +0.39 r of changes −0.08 Days 27"
    )
    assert "Only 4 days are common" in last
    del answer["_meta"]
    await stage.tell(answer)
    assert "3 trackers compared" in await stage.text()
    assert "Tesla Sentiment and Nvidia Sentiment" in await stage.text()
    assert await stage.find(".plot").count() == 0


async def test_factors_are_listed_the_largest_first(stage: Stage) -> None:
    await stage.show(history(course(5)))
    rows = [" ".join(row.split()) for row in await stage.find(".detail .factors li").all_inner_texts()]
    assert rows[1:] == [
        "Negative analyst revisions −10 points 60% likely",
        "Macro uncertainty −6 points 40% likely",
        "Earnings momentum +4 points 70% likely",
    ]
    assert len(rows) == 1 + len(FACTORS)
