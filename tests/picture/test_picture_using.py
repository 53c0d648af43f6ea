"""The picture under pointer and keys, in its host's looks, at its natural height, and for who reads it otherwise."""

from __future__ import annotations

import json
import os
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from help.foreign import ROOT
from help.scores import comparison, course, failure, history
from help.seeded import CRYPTO, Json
from help.stage import Stage
from quantinal_mcp.extensions.apps import PAGE

pytestmark = [pytest.mark.anyio, pytest.mark.picture]

STATES: dict[str, Json | None] = {
    "waiting": None,
    "history": history(course(40, low=12)),
    "many": history(course(500, days=400), total=900),
    "one": history(course(1)),
    "empty": history([]),
    "alarm": history(course(12), threshold=90),
    "failed": failure("[timeout] No answer in time."),
    "comparison": comparison(4),
    "figures alone": {key: value for key, value in comparison(4).items() if key != "_meta"},
}
CREAM = {
    "--color-background-primary": "light-dark(#faf9f5, #262624)",
    "--color-background-secondary": "light-dark(#f0eee6, #1f1e1d)",
    "--color-text-primary": "light-dark(#141413, #faf9f5)",
    "--color-text-secondary": "light-dark(#3d3d3a, #c2c0b6)",
    "--color-border-primary": "light-dark(#d9d8d0, #454541)",
}
GROUND = "() => getComputedStyle(document.querySelector('main')).backgroundColor"


async def value(stage: Stage) -> str:
    """What a screen reader says of the place on the chart."""
    return await stage.find("[role=slider]").get_attribute("aria-valuetext") or ""


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


async def test_the_theme_is_the_hosts_and_the_root_has_none(stage: Stage) -> None:
    await stage.show(STATES["history"])
    assert await stage.look(GROUND) == "rgb(255, 255, 255)"
    await stage.change(theme="dark")
    assert await stage.look(GROUND) == "rgb(18, 24, 44)"
    assert await stage.look("() => document.querySelector('main').dataset.tone") == "dark"
    assert await stage.look("() => getComputedStyle(document.documentElement).colorScheme") == "normal"
    assert await stage.find(".point").count() == 40


async def test_without_a_theme_of_the_hosts_the_systems_is_taken(stage: Stage) -> None:
    await stage.page.emulate_media(color_scheme="dark")
    await stage.show(STATES["history"], context={"theme": None})
    assert await stage.look(GROUND) == "rgb(18, 24, 44)"


async def test_the_hosts_colours_and_font_are_taken_and_come_back_with_its_theme(stage: Stage) -> None:
    await stage.show(STATES["history"], context={"styles": {"variables": {**CREAM, "--font-sans": "monospace"}}})
    assert await stage.look(GROUND) == "rgb(250, 249, 245)"
    assert await stage.look("() => getComputedStyle(document.querySelector('h1')).fontFamily") == "monospace"
    await stage.change(theme="dark")
    assert await stage.look(GROUND) == "rgb(38, 38, 36)"


@pytest.mark.parametrize(
    "variables",
    [
        {"--color-background-primary": "#000"},
        {"--color-text-primary": "#eee"},
        {"--color-background-primary": "no colour", "--color-text-secondary": "#fefefe"},
    ],
)
async def test_colours_of_the_hosts_that_cannot_be_read_on_ours_are_left(stage: Stage, variables: Json) -> None:
    await stage.show(STATES["history"], context={"styles": {"variables": variables}})
    assert await stage.look(GROUND) == "rgb(255, 255, 255)"
    assert await stage.faults() == []


@pytest.mark.parametrize(
    ("locale", "zone", "expected"),
    [
        ("de-DE", "Asia/Tokyo", "25.11.2026, 18:30"),
        ("no such locale", "Nowhere/Land", "Nov 25, 2026"),
    ],
)
async def test_dates_and_numbers_are_written_as_the_user_does(
    stage: Stage, locale: str, zone: str, expected: str
) -> None:
    await stage.show(STATES["history"], context={"locale": locale, "timeZone": zone})
    assert expected in await value(stage)


@pytest.mark.parametrize("width", [640, 280])
@pytest.mark.parametrize("state", STATES)
async def test_its_height_settles_at_what_it_needs(stage: Stage, state: str, width: int) -> None:
    await stage.show(STATES[state], width=width)
    sizes = await stage.sizes()
    assert 1 <= len(sizes) <= 3
    assert all(set(size) == {"height"} for size in sizes), "the width is the host's"
    needed = await stage.look("() => document.documentElement.scrollHeight")
    assert needed <= sizes[-1]["height"] <= await stage.look("() => document.querySelector('main').offsetHeight") + 3
    await stage.settled()
    assert await stage.sizes() == sizes


async def test_a_change_of_one_pixel_is_not_told_and_hides_nothing(stage: Stage) -> None:
    await stage.show(STATES["history"])
    sizes = await stage.sizes()
    await stage.find("main").evaluate("main => { main.style.paddingBottom = '17px' }")
    await stage.settled()
    assert await stage.sizes() == sizes
    assert await stage.look("() => document.documentElement.scrollHeight <= innerHeight")
    await stage.find("main").evaluate("main => { main.style.paddingBottom = '20px' }")
    await stage.settled()
    assert len(await stage.sizes()) == len(sizes) + 1


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


async def test_the_pixels_to_spare_have_the_colour_of_the_surface(stage: Stage) -> None:
    await stage.show(STATES["history"], context={"theme": "dark"})
    assert await stage.colours(8) == ["rgb(18, 24, 44)"]


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


async def test_a_frame_of_a_given_height_is_left_alone_by_what_is_in_it(stage: Stage) -> None:
    await stage.show(STATES["history"], height=300, context={"containerDimensions": {"height": 300, "width": 640}})
    assert await stage.look("() => document.querySelector('main').offsetHeight") > 300
    assert len(await stage.sizes()) <= 3


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("state", STATES)
async def test_axe_finds_nothing_serious(stage: Stage, state: str, theme: str) -> None:
    await stage.show(STATES[state], context={"theme": theme})
    for summary in await stage.find("summary").all():
        await summary.click()
    await stage.settled()
    assert await stage.faults() == []
    await stage.page.locator("iframe").evaluate("frame => { frame.style.width = '280px' }")
    await stage.settled()
    assert await stage.faults() == []


async def test_axe_finds_nothing_serious_in_a_hosts_own_colours(stage: Stage) -> None:
    for theme in ("light", "dark"):
        await stage.show(STATES["history"], context={"theme": theme, "styles": {"variables": CREAM}})
        assert await stage.look(GROUND) in ("rgb(250, 249, 245)", "rgb(38, 38, 36)")
        assert await stage.faults() == []


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


MOVING = """() => [...document.querySelectorAll("*")].filter((one) => {
  const { transitionDuration, animationName, scrollBehavior } = getComputedStyle(one);
  return transitionDuration !== "0s" || animationName !== "none" || scrollBehavior !== "auto";
}).length"""


async def test_nothing_moves_by_itself_where_one_wants_less_motion(stage: Stage) -> None:
    for answer in (STATES["history"], STATES["comparison"], STATES["failed"]):
        await stage.page.emulate_media(reduced_motion="no-preference")
        await stage.show(answer)
        assert await stage.look(MOVING) > 0, "else there is nothing to leave out"
        await stage.page.emulate_media(reduced_motion="reduce")
        assert await stage.look(MOVING) == 0


async def test_a_cancelled_call_is_said_to_be_one(stage: Stage) -> None:
    await stage.show(None)
    assert await stage.text() == "Waiting for the scores…"
    await stage.page.evaluate("stage.bridge.sendToolCancelled({ reason: 'user action' })")
    await stage.settled()
    assert "The call was cancelled." in await stage.text()


async def test_the_hosts_requests_are_answered(stage: Stage) -> None:
    await stage.show(STATES["history"])
    assert (await stage.ask("ping"))["result"] == {}
    assert (await stage.ask("tools/list"))["error"]["code"] == -32601
    assert await stage.page.evaluate("stage.bridge.teardownResource({})") == {}
    told = await stage.sizes()
    await stage.tell(history([]))
    assert await stage.sizes() == told, "after its end it is silent"


async def test_only_the_host_is_listened_to(stage: Stage) -> None:
    await stage.show(STATES["history"])
    await stage.look(
        "result => postMessage({ jsonrpc: '2.0', method: 'ui/notifications/tool-result', params: result }, '*')",
        history([]),
    )
    await stage.settled()
    assert await stage.find(".point").count() == 40


async def test_the_pictures_in_the_readme_are_of_this_page_and_of_what_the_server_answers(
    stage: Stage, client: Client, tmp_path: Path
) -> None:
    """Fonts differ between machines, so it is what is drawn that is compared, and not the pixels."""
    answer = await client.call_tool("get_score_history", {"tracker_id": CRYPTO})
    result = answer.model_dump(mode="json", by_alias=True, exclude_none=True)
    anew = os.environ.get("UPDATE_PICTURE") == "1"
    kept = ROOT / "assets" if anew else tmp_path
    for theme in ("light", "dark"):
        await stage.show(result, context={"theme": theme})
        await stage.find(".list ol button").nth(1).click()
        await stage.find(".list ol button").nth(1).blur()
        await stage.photograph(kept / f"scores-{theme}.png")
        assert await stage.find(".row:hover").count() == 0, "one row is chosen, and none pointed at"
    drawn = [result["structuredContent"], result["_meta"]["quantinal/scores"]]
    digest = sha256(json.dumps(drawn, sort_keys=True).encode())
    for path in (PAGE, *(ROOT / "assets" / f"scores-{theme}.png" for theme in ("light", "dark"))):
        digest.update(path.read_bytes())
    said = ROOT / "assets" / "scores.sha256"
    if anew:
        said.write_text(f"{digest.hexdigest()}\n", "utf-8")
    assert said.read_text("utf-8").strip() == digest.hexdigest(), (
        "The README shows another page or answer; photograph it anew: "
        "UPDATE_PICTURE=1 python -m pytest -n 0 -m picture -k readme"
    )
