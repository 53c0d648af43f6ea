"""The picture in its host's looks, at its natural height, and for who reads it otherwise."""

from __future__ import annotations

import json
import os
from hashlib import sha256
from pathlib import Path

import pytest
from mcp import Client

from help.foreign import ROOT
from help.scores import STATES, history
from help.seeded import CRYPTO, Json
from help.stage import Stage, value
from quantinal_mcp.extensions.apps import PAGE

pytestmark = [pytest.mark.anyio, pytest.mark.picture]

CREAM = {
    "--color-background-primary": "light-dark(#faf9f5, #262624)",
    "--color-background-secondary": "light-dark(#f0eee6, #1f1e1d)",
    "--color-text-primary": "light-dark(#141413, #faf9f5)",
    "--color-text-secondary": "light-dark(#3d3d3a, #c2c0b6)",
    "--color-border-primary": "light-dark(#d9d8d0, #454541)",
}
GROUND = "() => getComputedStyle(document.querySelector('main')).backgroundColor"


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


async def test_the_pixels_to_spare_have_the_colour_of_the_surface(stage: Stage) -> None:
    await stage.show(STATES["history"], context={"theme": "dark"})
    assert await stage.colours(8) == ["rgb(18, 24, 44)"]


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
