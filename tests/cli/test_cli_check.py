"""`quantinal-mcp check` names what is wrong with a setup, and the mend."""

import json
import os
import socket
from typing import Any

import anyio
import pytest

from help.command import command
from quantinal_mcp.sandbox import Sandbox

pytestmark = pytest.mark.anyio


async def check(*arguments: str, **environ: str) -> tuple[int, str]:
    done = await anyio.run_process(command("check", *arguments), env={**os.environ, **environ}, check=False)
    assert done.stderr == b""
    return done.returncode, done.stdout.decode()


async def check_json(**environ: str) -> tuple[int, dict[str, dict[str, Any]]]:
    status, text = await check("--json", **environ)
    return status, {finding["name"]: finding for finding in json.loads(text)}


async def test_the_sandbox_setup_is_fine_without_a_host() -> None:
    status, text = await check(QUANTINAL_SANDBOX="1")
    assert status == 0
    assert [line.split()[0] for line in text.splitlines()] == ["ok"] * 6


async def test_a_live_setup_is_fine_when_its_token_is_accepted() -> None:
    async with Sandbox().serve() as base_url:
        status, found = await check_json(QUANTINAL_BASE_URL=base_url, QUANTINAL_API_TOKEN="qapi_sandbox")
    assert status == 0
    assert {name: finding["verdict"] for name, finding in found.items()} == dict.fromkeys(
        ["settings", "token", "journal", "host", "clock", "account", "skills"], "ok"
    )
    assert all(finding.keys() == {"name", "verdict", "detail", "mend"} for finding in found.values())


async def test_no_token_fails_with_the_way_to_one_and_the_host_is_checked_all_the_same() -> None:
    async with Sandbox().serve() as base_url:
        status, text = await check("--base-url", base_url)
    assert status == 1
    assert "FAIL  token: QUANTINAL_API_TOKEN is not set: create one" in text
    assert "ok    host: " in text


async def test_a_wrong_token_fails_and_is_not_shown() -> None:
    async with Sandbox().serve() as base_url:
        status, text = await check(QUANTINAL_BASE_URL=base_url, QUANTINAL_API_TOKEN="qapi_wrongone")
    assert status == 1
    assert "FAIL  account: [unauthorized]" in text
    assert "wrongone" not in text


async def test_a_host_that_cannot_be_reached_fails_with_a_mend() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        base_url = f"http://127.0.0.1:{unused.getsockname()[1]}"
    status, found = await check_json(QUANTINAL_BASE_URL=base_url, QUANTINAL_API_TOKEN="qapi_sandbox")
    assert status == 1
    assert found["host"]["verdict"] == "FAIL"
    assert "QUANTINAL_BASE_URL" in found["host"]["mend"]


async def test_unreadable_skills_are_a_note_and_no_failure() -> None:
    async with Sandbox(skills_forbidden=True).serve() as base_url:
        status, found = await check_json(QUANTINAL_BASE_URL=base_url, QUANTINAL_API_TOKEN="qapi_sandbox")
    assert (status, found["skills"]["verdict"]) == (0, "note")


@pytest.mark.parametrize(("skew", "words"), [(3600, "s behind"), (-3600, "s ahead of")])
async def test_a_clock_that_is_off_is_noted(skew: float, words: str) -> None:
    async with Sandbox(clock_skew=skew).serve() as base_url:
        status, found = await check_json(QUANTINAL_BASE_URL=base_url, QUANTINAL_API_TOKEN="qapi_sandbox")
    assert (status, found["clock"]["verdict"]) == (0, "note")
    assert words in found["clock"]["detail"]


async def test_a_bad_setting_is_a_finding() -> None:
    status, found = await check_json(QUANTINAL_PORT="x")
    assert (status, list(found)) == (1, ["settings"])
    assert "QUANTINAL_PORT" in found["settings"]["detail"]


UNUSABLE = {
    "HTTPS_PROXY": "http://user:s3cret@proxy:port",
    "ALL_PROXY": "socks5://127.0.0.1:1080",
    "SSL_CERT_FILE": "/missing.pem",
    "SSL_CERT_DIR": "/missing",
}


@pytest.mark.parametrize("variable", UNUSABLE)
async def test_an_environment_that_leads_nowhere_fails_with_its_name(variable: str) -> None:
    environ = {variable: UNUSABLE[variable], "QUANTINAL_API_TOKEN": "qapi_sandbox"}
    status, text = await check(**environ)
    [line] = [line for line in text.splitlines() if line.startswith("FAIL")]
    assert status == 1
    assert line.startswith(f"FAIL  host: [misconfigured] {variable} ")
    assert "s3cret" not in text
    status, found = await check_json(**environ)
    assert (status, list(found)[-1], found["host"]["verdict"]) == (1, "host", "FAIL")


async def test_an_environment_that_concerns_another_host_is_fine() -> None:
    async with Sandbox().serve() as base_url:
        mine = {"QUANTINAL_BASE_URL": base_url, "QUANTINAL_API_TOKEN": "qapi_sandbox"}
        status, text = await check(**mine, **UNUSABLE, NO_PROXY="::1/128,[::1]", HTTP_PROXY="http://127.0.0.1:1")
    assert (status, "FAIL" in text) == (0, False)


@pytest.mark.parametrize("path", ["", "/v1/api", "/v2"])
async def test_a_base_url_that_is_not_the_services_is_named(path: str) -> None:
    async with Sandbox().serve() as base_url:
        wrong = base_url.removesuffix("/v1") + path
        status, found = await check_json(QUANTINAL_BASE_URL=wrong, QUANTINAL_API_TOKEN="qapi_sandbox")
    assert (status, found["account"]["verdict"]) == (1, "FAIL")
    assert "QUANTINAL_BASE_URL" in found["account"]["mend"]
