"""What stores, hosts and registries are told is what the server is."""

from __future__ import annotations

import json
import re
import struct
import tomllib
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from help.eras import Mode, both_eras
from quantinal_mcp import __version__
from quantinal_mcp.server import build_server
from quantinal_mcp.settings import Settings, load, options

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.anyio


def read(name: str) -> Any:
    return json.loads((ROOT / name).read_text("utf-8"))


async def test_every_place_that_names_the_version_names_the_same_one() -> None:
    async with Client(build_server(Settings(sandbox=True))) as client:
        assert client.server_info is not None
        running = client.server_info.version
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    server = read("server.json")
    packages = {package["version"] for package in server["packages"]}
    assert {running, project, read("manifest.json")["version"], server["version"], *packages} == {__version__}


async def test_the_manifest_lists_the_tools_and_prompts_of_the_server() -> None:
    manifest = read("manifest.json")
    async with Client(build_server(Settings(sandbox=True))) as client:
        tools = (await client.list_tools()).tools
        prompts = (await client.list_prompts()).prompts
    assert [tool["name"] for tool in manifest["tools"]] == [tool.name for tool in tools]
    assert [(prompt["name"], prompt["arguments"]) for prompt in manifest["prompts"]] == [
        (prompt.name, [argument.name for argument in prompt.arguments or ()]) for prompt in prompts
    ]
    for prompt in manifest["prompts"]:
        assert set(re.findall(r"\$\{arguments\.(\w+)\}", prompt["text"])) == set(prompt["arguments"])


def test_the_manifest_asks_for_settings_that_exist_and_fills_in_every_blank() -> None:
    manifest = read("manifest.json")
    environment = manifest["server"]["mcp_config"]["env"]
    assert environment.keys() <= {option.env for option in options().values()}
    asked = re.findall(r"\$\{user_config\.(\w+)\}", json.dumps(manifest["server"]))
    assert sorted(asked) == sorted(manifest["user_config"])
    assert all("default" in question for question in manifest["user_config"].values())
    assert manifest["user_config"]["api_token"]["sensitive"]


def test_a_default_that_the_registry_lists_may_be_given_as_it_stands() -> None:
    variables = read("server.json")["packages"][0]["environmentVariables"]
    defaults = {variable["name"]: variable["default"] for variable in variables if "default" in variable}
    assert len(defaults) > 5
    assert load(defaults) == Settings()


def test_the_registry_and_the_readme_name_the_same_server() -> None:
    assert f"<!-- mcp-name: {read('server.json')['name']} -->" in (ROOT / "README.md").read_text("utf-8")


def test_the_privacy_policy_is_a_section_of_the_readme() -> None:
    [policy] = read("manifest.json")["privacy_policies"]
    assert policy.endswith("#privacy")
    assert "\n## Privacy\n" in (ROOT / "README.md").read_text("utf-8")


@both_eras
async def test_the_server_says_where_it_is_at_home_and_brings_a_small_icon(mode: Mode) -> None:
    async with Client(build_server(Settings(sandbox=True)), mode=mode) as client:
        about = client.server_info
    assert about is not None
    assert about.icons
    assert about.website_url == read("server.json")["websiteUrl"] == read("manifest.json")["homepage"]
    [icon] = about.icons
    kind, _, data = icon.src.partition(";base64,")
    assert kind == f"data:{icon.mime_type}"
    assert b64decode(data, validate=True).startswith(b"<svg ")
    assert len(icon.src) < 512, "it is sent with every result of the newer era"


def test_the_registry_finds_the_icons_in_this_repository() -> None:
    for icon in read("server.json")["icons"]:
        assert (ROOT / "assets" / icon["src"].rpartition("/assets/")[2]).is_file()


def test_the_icon_is_a_square_of_512() -> None:
    icon = (ROOT / read("manifest.json")["icon"]).read_bytes()
    assert icon.startswith(b"\x89PNG")
    assert struct.unpack(">II", icon[16:24]) == (512, 512)
