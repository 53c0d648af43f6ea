"""What the picture tells beside its lines: names, figures, what stands out and why, and what there is not."""

from __future__ import annotations

import re
from typing import Any

import pytest

from help.scores import course, history
from help.stage import Stage

pytestmark = [pytest.mark.anyio, pytest.mark.picture]

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


async def test_no_points_say_so_and_how_many_runs_failed(stage: Stage) -> None:
    await stage.show(history([]))
    assert "No scores yet The first completed run makes the first point. 2 runs failed" in await stage.text()


async def test_a_part_of_the_scores_is_said_to_be_one(stage: Stage) -> None:
    await stage.show(history(course(50), total=312))
    assert "The latest 50 of 312 scores, 27 Aug – 25 Nov 2026, times in Europe/Berlin." in await stage.text()
    await stage.tell(history(course(50), truncated=True))
    assert "Not all runs could be read." in await stage.text()


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
