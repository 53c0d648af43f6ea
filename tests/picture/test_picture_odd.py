"""Hostile texts, answers of another shape and failures: the picture stays whole and says what went wrong."""

from __future__ import annotations

from typing import Any

import pytest

from help.scores import HOSTILE, course, failure, history
from help.seeded import Json
from help.stage import Stage

pytestmark = [pytest.mark.anyio, pytest.mark.picture]

ELEMENTS = """() => [...document.querySelectorAll("*")].map((one) => one.localName)
  .filter((name) => !["li", "i", "span", "small", "strong", "path"].includes(name))"""
"""What the page is made of, but for what there is more of where there are more factors."""


def hostile() -> Json:
    points = course(12, low=5)
    answer = history(points, name=HOSTILE, score_meaning=HOSTILE)
    extra = answer["_meta"]["quantinal/scores"]
    extra["factors"] = {run: [[HOSTILE, 5, 0.5], ["", -1e300, "x"], [7], "no"] for _, _, run in points}
    return answer


@pytest.mark.parametrize("width", [640, 280])
async def test_hostile_text_stays_text(stage: Stage, width: int) -> None:
    await stage.show(history(course(12, low=5)), width=width)
    expected = await stage.look(ELEMENTS)
    await stage.tell(hostile())
    assert await stage.look(ELEMENTS) == expected, "no element comes from text"
    assert await stage.find("h1").inner_text() == HOSTILE
    assert await stage.look("() => document.documentElement.scrollWidth <= innerWidth"), "nor does it widen the page"


ODD: list[Any] = [
    {},
    {"points": "no"},
    {"points": [["yesterday", 1], ["2026-01-01T00:00:00Z", "9"], None, [], {"time": "2026-01-01T00:00:00Z"}]},
    {"points": [["2026-01-01T00:00:00Z", 1e308], ["2026-01-02T00:00:00Z", -5]], "statistics": 3, "threshold": "x"},
    {"points": [["2026-01-01T00:00:00Z", 100]] * 3, "statistics": {"mean": None}, "threshold": -1, "outstanding": 7},
    {"pairs": [None, {"a": {}, "r_levels": "x"}], "trackers": [{}, 3], "note": 4},
    [1],
]


@pytest.mark.parametrize("said", ODD)
async def test_an_answer_of_another_shape_breaks_nothing(stage: Stage, said: Any) -> None:
    await stage.show(
        {"content": [], "structuredContent": said, "_meta": {"quantinal/scores": {"series": [3, {}], "factors": 1}}}
    )
    assert await stage.text()
    await stage.tell({"content": [], "structuredContent": said})
    assert await stage.text()


async def test_a_failed_call_says_what_went_wrong(stage: Stage) -> None:
    await stage.show(failure("[not_found] There is no such tracker. Look it up with list_trackers."))
    said = await stage.text()
    assert (
        said
        == "The scores could not be read There is no such tracker. Look it up with list_trackers. not_found Try again"
    )
