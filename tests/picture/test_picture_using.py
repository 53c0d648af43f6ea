"""The picture under pointer and keys: one looks from run to run, and calls for newer scores."""

from __future__ import annotations

from typing import Any

import pytest
from mcp import Client

from help.scores import STATES, comparison, course, failure, history
from help.seeded import CRYPTO, Json
from help.stage import Stage, value

pytestmark = [pytest.mark.anyio, pytest.mark.picture]


async def test_keys_step_from_run_to_run(stage: Stage) -> None:
    points = course(30)
    await stage.show(history(points))
    slider = stage.find("[role=slider]")
    assert await slider.get_attribute("aria-valuenow") == "30"
    await slider.focus()
    for key, place in [
        ("ArrowLeft", 29),
        ("ArrowLeft", 28),
        ("ArrowRight", 29),
        ("Home", 1),
        ("ArrowLeft", 1),
        ("PageUp", 4),
        ("End", 30),
    ]:
        await stage.page.keyboard.press(key)
        assert await slider.get_attribute("aria-valuenow") == str(place), key
        time, score, run = points[place - 1]
        assert run in await stage.find(".detail").inner_text()
        assert (
            f"score {score}, Negative analyst revisions −10, Macro uncertainty −6, Earnings momentum +4"
            in await value(stage)
        )
        assert str(int(time[8:10])) in await value(stage)


async def test_all_that_can_be_used_is_reached_by_tabs_in_order(stage: Stage) -> None:
    await stage.show(history(course(30, low=12)))
    await stage.look("() => document.body.focus()")
    reached: list[str] = []
    for _ in range(4):
        await stage.page.keyboard.press("Tab")
        reached.append(await stage.look("() => document.activeElement.dataset.key"))
    assert reached[:2] == ["refresh", "plot"]
    assert reached[2].startswith("far ")
    assert reached[3] == "table"


async def test_the_run_under_the_pointer_is_told(stage: Stage) -> None:
    points = course(30)
    await stage.show(history(points))
    await stage.find(".point").nth(4).hover(force=True)
    assert points[4][2] in await stage.find(".detail").inner_text()
    assert await stage.find(".chosen-score").text_content() == str(points[4][1])


RING = "() => getComputedStyle(document.querySelector('.chosen')).stroke"
COLOUR = """(name) => {
  const probe = document.querySelector("main").appendChild(document.createElement("i"));
  probe.style.color = `var(--${name})`;
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}"""


async def test_the_run_that_is_chosen_keeps_the_colour_of_its_mark(stage: Stage) -> None:
    points = course(30, low=20)
    points[20][1] = 39
    await stage.show(history(points, threshold=40))
    far, alarm, score = [await stage.look(COLOUR, name) for name in ("far", "alarm", "score")]
    assert len({far, alarm, score}) == 3
    for place, colour in ((15, far), (20, alarm), (21, score)):
        await stage.find(".point").nth(place).hover(force=True)
        assert points[place][2] in await stage.find(".detail").inner_text()
        assert await stage.look(RING) == colour


async def test_the_table_holds_every_score_the_latest_first(stage: Stage) -> None:
    points = course(30)
    await stage.show(history(points))
    await stage.find("summary").click()
    await stage.find("tbody").wait_for()
    rows = await stage.find("tbody tr").all_inner_texts()
    assert len(rows) == 30
    assert rows[0].split("\t")[1:] == [
        str(points[-1][1]),
        f"{points[-1][1] - points[-2][1]:+}".replace("-", "−"),
        points[-1][2],
    ]


TOPS = "() => [...document.querySelectorAll('main > *, .list .row')].map((one) => one.getBoundingClientRect().top)"
"""Where everything below each other begins."""


def uneven() -> Json:
    """Runs of no to three factors, some of them with long names; the latest and those that stand out have few."""
    points = course(30)
    points[8][1], points[22][1] = 12, 9
    answer = history(points)
    factors = answer["_meta"]["quantinal/scores"]["factors"]
    for place, (_, _, run) in enumerate(points):
        factors[run] = factors[run][: place % 4 if place < 24 else 0]
    factors[points[15][2]] = [["A long name, of which only two lines are shown where there is little room", 3, 0.5]] * 3
    return answer


@pytest.mark.parametrize("answer", [uneven(), comparison(4)])
@pytest.mark.parametrize("width", [640, 280])
async def test_nothing_moves_while_one_looks_from_run_to_run(stage: Stage, answer: Json, width: int) -> None:
    await stage.show(answer, width=width)
    settled, tops = await stage.sizes(), await stage.look(TOPS)
    rows = stage.find(".list .row")
    for place in range(await rows.count()):
        await rows.nth(place).click()
        assert await stage.look(TOPS) == tops, f"the run that stands out as number {place + 1}"
    await stage.find("[role=slider]").focus()
    await stage.page.keyboard.press("Home")
    for _ in range(30):
        assert await stage.look(TOPS) == tops, await value(stage)
        await stage.page.keyboard.press("ArrowRight")
    await stage.settled()
    assert await stage.sizes() == settled


async def test_the_run_that_is_chosen_is_marked_otherwise_than_the_one_under_the_pointer(stage: Stage) -> None:
    await stage.show(uneven())
    await stage.page.emulate_media(reduced_motion="reduce")
    chosen, other = stage.find(".list .row").nth(0), stage.find(".list .row").nth(1)
    await chosen.click()
    await other.hover()
    ground = "row => getComputedStyle(row).backgroundColor"
    bar = "row => getComputedStyle(row, '::before').borderInlineStartWidth"
    assert await chosen.evaluate(ground) != await other.evaluate(ground)
    assert (await chosen.evaluate(bar), await other.evaluate(bar)) == ("3px", "0px")


async def test_refresh_calls_the_tool_again_and_draws_what_it_answers(stage: Stage, client: Client) -> None:
    async def call(params: Json) -> Any:
        answer = await client.call_tool(params["name"], params["arguments"])
        return answer.model_dump(mode="json", by_alias=True, exclude_none=True)

    stage.answer = call
    await stage.show(history(course(3)), arguments={"tracker_id": CRYPTO, "limit": 20})
    await stage.find(".refresh").click()
    await stage.settled()
    assert stage.called == [{"name": "get_score_history", "arguments": {"tracker_id": CRYPTO, "limit": 20}}]
    assert "Crypto Risk Appetite" in await stage.text()
    assert await stage.find(".point").count() == 48
    assert "Refreshed at" in await stage.find("[role=status]").inner_text()
    assert await stage.look("() => document.activeElement.className") == "refresh", "the focus stays where it was"


async def test_refresh_of_a_comparison_compares_again(stage: Stage) -> None:
    stage.answer = lambda _: comparison(2)
    await stage.show(comparison(3), arguments={"tracker_ids": ["trk_0", "trk_1", "trk_2"]})
    await stage.find(".refresh").click()
    await stage.settled()
    assert stage.called == [{"name": "compare_scores", "arguments": {"tracker_ids": ["trk_0", "trk_1", "trk_2"]}}]
    assert "2 trackers compared" in await stage.text()


async def test_the_run_that_one_looks_at_stays_when_scores_are_refreshed(stage: Stage) -> None:
    points = course(31)
    stage.answer = lambda _: history(points)
    await stage.show(history(points[:30]))
    await stage.find(".refresh").click()
    await stage.settled()
    assert points[30][2] in await stage.find(".detail").inner_text(), "who looked at the latest sees the latest"
    await stage.find(".point").nth(4).hover(force=True)
    await stage.find(".refresh").click()
    await stage.settled()
    assert points[4][2] in await stage.find(".detail").inner_text()


async def test_a_failed_refresh_keeps_the_picture_and_says_so(stage: Stage) -> None:
    await stage.show(history(course(30)))
    for failed in (failure("[rate_limited] Too many requests; wait a minute."), None):
        stage.answer = lambda _, answer=failed: answer
        await stage.find(".refresh").click()
        await stage.settled()
        assert "These scores could not be refreshed" in await stage.text()
        assert await stage.find(".point").count() == 30
    stage.answer = lambda _: history(course(31))
    await stage.find(".notice button").click()
    await stage.settled()
    assert "could not" not in await stage.text()
    assert await stage.find(".point").count() == 31


async def test_where_the_host_passes_no_calls_on_there_is_nothing_to_refresh_with(stage: Stage) -> None:
    for answer, again in ((STATES["history"], ".refresh"), (STATES["failed"], ".notice button")):
        await stage.show(answer)
        assert await stage.find(again).count() == 1
        await stage.show(answer, capabilities={})
        assert await stage.find(".refresh, .notice button").count() == 0
