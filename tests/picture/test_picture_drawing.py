"""What the picture draws of an answer, and what it says where there is little to draw."""

from __future__ import annotations

import re
from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest
from mcp import Client

from help.scores import FACTORS, HOSTILE, comparison, course, failure, history
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

ELEMENTS = """() => [...document.querySelectorAll("*")].map((one) => one.localName)
  .filter((name) => !["li", "i", "span", "small", "strong", "path"].includes(name))"""
"""What the page is made of, but for what there is more of where there are more factors."""

SWATCHES = """() => [...document.querySelectorAll(".legend path")].map((one) => {
  const { fill, stroke } = getComputedStyle(one);
  return [one.getAttribute("d"), fill, stroke].join();
})"""


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


LABELS = """() => ["mean", "threshold"].map((name) => {
  const { top, bottom, right } = document.querySelector(`.plot .${name}-label`).getBoundingClientRect();
  const line = document.querySelector(`.plot .${name}`).getBoundingClientRect().top;
  const words = [...document.querySelectorAll(`.plot .${name}-label tspan`)].map((one) => one.textContent);
  return { words, top, bottom, line, isWithin: right <= innerWidth };
})"""


@pytest.mark.parametrize("width", [640, 280])
@pytest.mark.parametrize("threshold", [0, 20, 40, 60, 65, 66, 70, 90, 100])
async def test_lines_are_named_at_their_ends_and_no_name_is_written_over_another(
    stage: Stage, width: int, threshold: int
) -> None:
    await stage.show(history(course(40), threshold=threshold), width=width)
    mean, alert = await stage.look(LABELS)
    assert alert["words"] == ["alert", f"≤ {threshold}"]
    assert mean["words"] == ["mean", (await figures(stage))["Mean"]], "in one precision"
    upper, lower = sorted((mean, alert), key=lambda label: label["top"])
    assert upper["bottom"] <= lower["top"] + 2, "lines of text have air above and below"
    for label in (mean, alert):
        assert label["top"] - 16 <= label["line"] <= label["bottom"] + 16
        assert label["isWithin"]


async def figures(stage: Stage) -> dict[str, str]:
    """The figures below the chart."""
    names, values = [await stage.find(f".figures {part}").all_inner_texts() for part in ("dt", "dd")]
    return dict(zip(names, values, strict=True))


async def test_the_figures_are_the_answers(stage: Stage) -> None:
    answer = history(course(30))
    answer["structuredContent"]["statistics"] = {
        "mean": 57.17,
        "minimum": 18,
        "maximum": 95.5,
        "change_over_period": -12,
        "trend_per_day": 0.043,
        "failed_runs": 2,
    }
    await stage.show(answer)
    assert await figures(stage) == {
        "Mean": "57.2",
        "Lowest": "18",
        "Highest": "95.5",
        "Change over the period": "−12",
        "Trend per day": "+0.04",
        "Failed runs": "2",
    }


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


async def test_no_points_say_so_and_how_many_runs_failed(stage: Stage) -> None:
    await stage.show(history([]))
    assert "No scores yet The first completed run makes the first point. 2 runs failed" in await stage.text()


async def test_a_part_of_the_scores_is_said_to_be_one(stage: Stage) -> None:
    await stage.show(history(course(50), total=312))
    assert "The latest 50 of 312 scores, 27 Aug – 25 Nov 2026, times in Europe/Berlin." in await stage.text()
    await stage.tell(history(course(50), truncated=True))
    assert "Not all runs could be read." in await stage.text()


async def test_all_that_the_picture_gets_is_drawn_though_a_model_sees_a_part(stage: Stage) -> None:
    await stage.show(history(course(60), shown=20))
    assert await stage.find(".point").count() == 60
    assert "The latest" not in await stage.text()


async def test_a_run_that_stands_out_is_told_though_it_is_not_drawn(stage: Stage) -> None:
    answer = history(course(60, low=5), shown=20)
    del answer["_meta"]
    await stage.show(answer)
    assert "12 Oct 2026: 59.3 below the mean" in await stage.find(".list ol").inner_text()
    assert await stage.find(".list ol button").count() == 0
    assert await stage.find(".far").count() == 0


async def test_runs_that_stand_out_are_marked_and_explained(stage: Stage) -> None:
    await stage.show(history(course(30, low=12)))
    assert "More than two standard deviations from the mean" in await stage.find(".list:has(ol)").inner_text()
    assert await stage.find(".far-number").all_text_contents() == ["1"]
    [row] = await stage.find(".list ol li").all_inner_texts()
    assert (
        " ".join(row.split())
        == "1 12 13 Oct 2026: 53.8 below the mean, pulled down most by Negative analyst revisions −10"
    )
    await stage.find(".list ol button").click()
    assert "13 Oct 2026, 00:44" in await stage.find(".detail").inner_text()
    assert await stage.find(".list ol button").get_attribute("aria-pressed") == "true"


@pytest.mark.parametrize(
    ("score", "factors", "expected"),
    [
        (
            12,
            [["Broader momentum", 4, 0.5], ["Liquidations", -3, 0.5]],
            "below the mean, pulled down most by Liquidations −3",
        ),
        (12, [["Broader momentum", 4, 0.5]], "below the mean"),
        (12, [["Nothing", 0, 0.5]], "below the mean"),
        (
            99,
            [["Outflows", -9, 0.5], ["Inflows", 2, 0.5], ["Momentum", 5, 0.5]],
            "above the mean, pushed up most by Momentum +5",
        ),
        (99, [["Outflows", -9, 0.5]], "above the mean"),
    ],
)
async def test_a_run_that_stands_out_is_explained_by_a_factor_of_its_own_direction(
    stage: Stage, score: int, factors: list[list[Any]], expected: str
) -> None:
    points = course(30, low=score)
    answer = history(points)
    answer["_meta"]["quantinal/scores"]["factors"] = {run: factors for _, _, run in points}
    [far] = [point for point in points if point[1] == score]
    answer["structuredContent"]["outstanding"] = [{"time": far[0], "score": score, "run_id": far[2]}]
    await stage.show(answer)
    [row] = await stage.find(".list ol li").all_inner_texts()
    assert re.sub(r".*: [\d.]+ ", "", " ".join(row.split())) == expected


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (6, "▲ 6 since the run before"),
        (-6, "▼ 6 since the run before"),
        (-0.5, "▼ 0.5 since the run before"),
        (0, "unchanged since the run before"),
    ],
)
async def test_an_arrow_says_which_way_the_latest_score_went(stage: Stage, change: float, expected: str) -> None:
    points = course(10)
    points[-1][1] = points[-2][1] + change
    await stage.show(history(points))
    assert await stage.find(".verdict span").first.inner_text() == expected
    in_detail = f"({change:+g} since" if change else "(unchanged since"
    assert in_detail.replace("-", "−") in await stage.find(".detail .when").inner_text()


async def test_a_score_at_its_alert_line_says_so(stage: Stage) -> None:
    points = course(10)
    points[-1][1] = 40
    await stage.show(history(points))
    assert "at or below the alert line of 40" in await stage.text()
    points[-1][1] = 41
    await stage.tell(history(points))
    assert "at or below the alert line" not in await stage.text()


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


async def test_a_failed_call_says_what_went_wrong(stage: Stage) -> None:
    await stage.show(failure("[not_found] There is no such tracker. Look it up with list_trackers."))
    said = await stage.text()
    assert (
        said
        == "The scores could not be read There is no such tracker. Look it up with list_trackers. not_found Try again"
    )
