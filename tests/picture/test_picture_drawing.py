"""What the picture draws of an answer: lines where the axes say, times at the axis, and what a server answers."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest
from mcp import Client

from help.scores import course, history
from help.seeded import CRYPTO, SEMIS, UNUSED, Json
from help.stage import Stage

pytestmark = [pytest.mark.anyio, pytest.mark.picture]

DRAWN = """() => {
  const at = (one) => /translate\\(([-\\d.]+) ([-\\d.]+)\\)/.exec(one.getAttribute("transform")).slice(1).map(Number);
  const ticks = [...document.querySelectorAll(".plot text[text-anchor=end]")]
    .map((one) => [Number(one.textContent), Number(one.getAttribute("y")) - 4]);
  return { points: [...document.querySelectorAll(".plot .point")].map(at), ticks };
}"""
"""Where the points are, and at which height which score is written at the axis."""


HEIGHT = "(name) => Number(document.querySelector(`.plot .${name}`).getAttribute('y1'))"
"""Where a level line lies."""


def scores_by(drawn: Any) -> list[float]:
    """The scores of the drawn points, read from the axis as a person would."""
    (low, bottom), *_, (high, top) = drawn["ticks"]
    return [low + (bottom - y) / (bottom - top) * (high - low) for _, y in drawn["points"]]


def times_by(drawn: Any, first: str, last: str) -> list[float]:
    """The times of the drawn points, in seconds, the first and the last being given."""
    begin, end = (datetime.fromisoformat(time).timestamp() for time in (first, last))
    left, right = drawn["points"][0][0], drawn["points"][-1][0]
    return [begin + (x - left) / (right - left) * (end - begin) for x, _ in drawn["points"]]


@pytest.mark.parametrize("low", [None, 9])
async def test_every_point_lies_where_the_axes_say(stage: Stage, low: int | None) -> None:
    points = course(40, low=low)
    points[7][0] = points[6][0].replace("09:", "10:")  # not evenly spaced
    await stage.show(history(points))
    drawn = await stage.look(DRAWN)
    assert scores_by(drawn) == pytest.approx([score for _, score, _ in points], abs=0.3)
    day = 86_400
    assert times_by(drawn, points[0][0], points[-1][0]) == pytest.approx(
        [datetime.fromisoformat(time).timestamp() for time, _, _ in points], abs=day / 4
    )


async def test_the_alert_line_and_the_mean_lie_where_the_axis_says(stage: Stage) -> None:
    await stage.show(history(course(20)))
    drawn = await stage.look(DRAWN)
    heights = [[0, await stage.look(HEIGHT, name)] for name in ("threshold", "mean")]
    mean = history(course(20))["structuredContent"]["statistics"]["mean"]
    assert scores_by({**drawn, "points": heights}) == pytest.approx([40, mean], abs=0.3)
    assert "Alert at or below 40." in await stage.text()


@pytest.mark.parametrize("width", [640, 280])
async def test_five_hundred_points_are_one_line_through_all_of_them(stage: Stage, width: int) -> None:
    await stage.show(history(course(500, days=400)), width=width)
    corners = await stage.find(".course").get_attribute("points")
    assert corners is not None
    assert len(corners.split()) == 500
    assert await stage.find(".point").count() == 1, "only the latest is marked where marks would touch"
    assert await stage.look("() => document.documentElement.scrollWidth <= innerWidth")


TICKS = """() => [...document.querySelectorAll(".plot text[text-anchor=middle]")].map((one) => {
  const { left, right } = one.getBoundingClientRect();
  return [one.textContent, left, right];
})"""
"""What is written along the axis of time: words, where they begin, where they end."""


@pytest.mark.parametrize("width", [640, 280])
async def test_two_times_at_least_are_written_at_the_axis_and_none_over_another(stage: Stage, width: int) -> None:
    await stage.show(None, width=width)
    for days in (0.02, 0.4, 1.5, 6, 13, 30, 62, 79, 99, 190, 370, 1500):
        await stage.tell(history(course(24, days=days)))
        ticks = await stage.look(TICKS)
        assert 2 <= len(ticks) <= width / 50, (days, ticks)
        assert all(end <= begin for (_, _, end), (_, begin, _) in pairwise(ticks)), (days, ticks)


async def test_what_the_server_answers_is_drawn_and_explained(stage: Stage, client: Client) -> None:
    answer = await asked(client, "get_score_history", tracker_id=CRYPTO, limit=10)
    said, drawn = answer["structuredContent"], answer["_meta"]["quantinal/scores"]
    [series] = drawn["series"]
    await stage.show(answer, arguments={"tracker_id": CRYPTO})
    scores = scores_by(await stage.look(DRAWN))
    assert scores == pytest.approx([score for _, score, _ in series["points"]], abs=0.3)
    assert scores[-10:] == pytest.approx([score for _, score in said["points"]], abs=0.3)
    assert await stage.find(".far").count() == len(said["outstanding"]) > 0
    text = await stage.text()
    assert said["name"] in text
    assert f"Alert at or below {said['threshold']}." in text
    [first, *_] = sorted(drawn["factors"][said["latest_run_id"]], key=lambda factor: -abs(factor[1]))
    assert first[0] in await stage.find(".detail").inner_text()


async def test_a_comparison_of_the_servers_is_drawn(stage: Stage, client: Client) -> None:
    answer = await asked(client, "compare_scores", tracker_ids=[CRYPTO, SEMIS])
    await stage.show(answer, arguments={"tracker_ids": [CRYPTO, SEMIS]})
    assert await stage.find(".course").count() == 2
    [pair] = await stage.find(".pairs li").all_inner_texts()
    assert "Crypto Risk Appetite and Semiconductor Momentum" in pair
    assert f"Days {answer['structuredContent']['pairs'][0]['common_days']}" in " ".join(pair.split())


async def asked(client: Client, tool: str, **arguments: Any) -> Json:
    """A tool's result as a host gets it."""
    answer = await client.call_tool(tool, arguments)
    return answer.model_dump(mode="json", by_alias=True, exclude_none=True)


async def test_a_tracker_without_runs_of_the_server_says_so(stage: Stage, client: Client) -> None:
    answer = await client.call_tool("get_score_history", {"tracker_id": UNUSED})
    await stage.show(answer.model_dump(mode="json", by_alias=True, exclude_none=True))
    assert "No scores yet" in await stage.text()
    assert await stage.find(".plot").count() == 0


@pytest.mark.parametrize("dropped", [("_meta",), ("_meta", "structuredContent")])
async def test_the_answer_alone_is_drawn_where_a_host_drops_the_rest(stage: Stage, dropped: tuple[str, ...]) -> None:
    points = course(30, low=12)
    whole = history(points)
    await stage.show({key: value for key, value in whole.items() if key not in dropped})
    assert scores_by(await stage.look(DRAWN)) == pytest.approx([score for _, score, _ in points], abs=0.3)
    assert await stage.find(".far").count() == 1
    await stage.find(".list ol button").click()
    assert points[15][2] in await stage.find(".detail").inner_text(), "outstanding runs have their ids all the same"


async def test_one_point_is_a_point_and_has_no_trend(stage: Stage) -> None:
    await stage.show(history(course(1)))
    assert await stage.find(".point").count() == 1
    said = await stage.text()
    assert "Mean" not in said
    assert "since the run before" not in said
    assert "25 Nov 2026, 10:30" in said, "in the host's zone"


async def test_all_that_the_picture_gets_is_drawn_though_a_model_sees_a_part(stage: Stage) -> None:
    await stage.show(history(course(60), shown=20))
    assert await stage.find(".point").count() == 60
    assert "The latest" not in await stage.text()
