"""How hosts learn of the picture, in both eras."""

from __future__ import annotations

import re

import pytest
from mcp_types import TextResourceContents

from help.callers import client_of
from help.eras import Mode, both_eras
from quantinal_mcp.extensions.apps import PAGE, PICTURED, URI
from quantinal_mcp.sandbox import Sandbox

pytestmark = pytest.mark.anyio


@both_eras
async def test_the_tools_that_tell_scores_name_the_picture_in_both_ways_and_no_other_does(mode: Mode) -> None:
    async with client_of(Sandbox(), mode) as client:
        tools = (await client.list_tools()).tools
    named = {tool.name for tool in tools if "ui" in (tool.meta or {})}
    assert named == PICTURED & {tool.name for tool in tools}
    assert "get_score_history" in named
    for tool in tools:
        if tool.name in named:
            assert tool.meta is not None
            assert tool.meta["ui"] == {"resourceUri": URI}
            assert tool.meta["ui/resourceUri"] == URI
        else:
            assert "ui/resourceUri" not in (tool.meta or {})


@both_eras
async def test_the_page_is_read_with_a_policy_that_lets_it_load_nothing(mode: Mode) -> None:
    async with client_of(Sandbox(), mode) as client:
        [page] = (await client.read_resource(URI)).contents
        [listed] = [item for item in (await client.list_resources()).resources if item.uri == URI]
    assert isinstance(page, TextResourceContents)
    assert page.mime_type == listed.mime_type == "text/html;profile=mcp-app"
    nothing: list[str] = []
    assert page.meta == listed.meta
    assert page.meta == {
        "ui": {
            "csp": dict.fromkeys(("connectDomains", "resourceDomains", "frameDomains", "baseUriDomains"), nothing),
            "permissions": {},
            "prefersBorder": True,
        }
    }
    assert page.text == PAGE.read_text("utf-8")


async def test_the_extension_is_advertised_where_extensions_are() -> None:
    async with client_of(Sandbox()) as client:
        assert "io.modelcontextprotocol/ui" in (client.server_capabilities.extensions or {})


@both_eras
async def test_there_is_no_picture_where_there_are_no_scores(mode: Mode) -> None:
    async with client_of(Sandbox(), mode, toolsets=("spaces", "vault")) as client:
        assert URI not in {item.uri for item in (await client.list_resources()).resources}
        assert "io.modelcontextprotocol/ui" not in (client.server_capabilities.extensions or {})


def test_the_page_names_no_address_makes_no_markup_of_text_and_takes_no_height_from_the_window() -> None:
    page = PAGE.read_text("utf-8")
    assert set(re.findall(r"\w+://[^\s\"'`]+", page)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|fetch\(", page)
    assert not re.search(r"\b\d+[sld]?v(h|b|max|min)\b", page)
    [styles] = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    rules = re.findall(r"([^{}]*)\{([^{}]*)\}", re.sub(r"/\*.*?\*/", "", styles, flags=re.DOTALL))
    of_the_whole = re.compile(r"(?<![\w.#-])(\*|html|body|main|:root|#picture)[^\s,>+~]*\s*(,|$)")
    whole = [what for selector, what in rules if of_the_whole.search(selector)]
    assert len(whole) > 3
    assert not [what for what in whole if re.search(r"(?<![\w-])(min-)?(height|block-size)\s*:", what)]
