"""Who may come in, with which token, under which names."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from mcp import MCPError

from help.eras import Mode, both_eras
from help.over_http import Wire, connected, plain, running, serving
from help.seeded import ANN, BEN, Json
from quantinal_mcp import __version__
from quantinal_mcp.sandbox import Sandbox
from quantinal_mcp.settings import Settings
from quantinal_mcp.transports.http import app, create_app

pytestmark = pytest.mark.anyio

LIST: Json = {"name": "list_spaces", "arguments": {}}


async def ask(url: str, headers: dict[str, str] | list[tuple[str, str]]) -> httpx.Response:
    """Call a tool with these headers instead of a token's."""
    async with plain() as http:
        request = Wire(url, None).request(http, "tools/call", LIST)
        for name, value in headers.items() if isinstance(headers, dict) else headers:
            if name == "Host":
                del request.headers["Host"]
            request.headers = httpx.Headers([*request.headers.multi_items(), (name, value)])
        return await http.send(request)


async def status(url: str, headers: dict[str, str]) -> int:
    return (await ask(url, headers)).status_code


async def test_the_token_of_a_request_goes_before_the_environments(sandbox: Sandbox) -> None:
    carried = [
        {"Authorization": f"Bearer {BEN}"},
        {"Authorization": f"bearer   {BEN}"},
        {"X-API-Key": BEN},
        {"X-API-Token": BEN},
        {"X-Auth-Token": BEN},
        {"X-API-Key": BEN, "X-API-Token": BEN, "Authorization": f"Bearer {BEN}"},
        {"X-API-Key": BEN, "Authorization": "Basic dXNlcjpwYXNz"},
        {"X-API-Token": BEN, "X-API-Key": "of-some-gateway"},
        {"X-API-Key": BEN, "X-Forwarded-For": "192.0.2.1", "Via": "1.1 proxy"},
    ]
    async with serving(sandbox, api_token=ANN) as served:
        assert [await status(served.url, headers) for headers in carried] == [200] * len(carried)
    assert [one.account for one in sandbox.requests] == [1] * len(carried)


async def test_on_loopback_the_environments_token_serves_requests_without_one(sandbox: Sandbox) -> None:
    bare = [{}, {"Authorization": ""}, {"Authorization": "Bearer"}, {"X-API-Key": ""}, {"X-API-Token": ""}]
    async with serving(sandbox, api_token=ANN) as served:
        assert [await status(served.url, headers) for headers in bare] == [200] * len(bare)
    assert [one.account for one in sandbox.requests] == [0] * len(bare)


@pytest.mark.parametrize(
    "settings",
    [
        {"host": "0.0.0.0"},
        {"host": "192.0.2.7"},
        {"host": "::"},
        {"allowed_hosts": ("mcp.example.com",)},
        {"host": "0.0.0.0", "allowed_hosts": ("mcp.example.com:*",)},
        {"api_token": None},
    ],
)
async def test_the_environments_token_stays_at_home(sandbox: Sandbox, settings: dict[str, Any]) -> None:
    async with serving(sandbox, None, **{"api_token": ANN, **settings}) as served:
        assert await status(served.url, {}) == 401
        assert await status(served.url, {"X-API-Key": BEN}) == 200
    assert {one.account for one in sandbox.requests} == {1}


async def test_requests_that_are_not_plainly_ones_own_are_not_lent_the_token(sandbox: Sandbox) -> None:
    doubtful = [
        {"Forwarded": "for=192.0.2.1"},
        {"X-Forwarded-For": "127.0.0.1"},
        {"X-Forwarded-Host": "localhost"},
        {"X-Forwarded-Proto": "https"},
        {"X-Real-IP": "127.0.0.1"},
        {"Via": "1.1 proxy"},
        {"CF-Connecting-IP": "192.0.2.1"},
        {"Authorization": "Bearer sk-of-another-service"},
        {"Authorization": "Basic dXNlcjpwYXNz"},
        {"Authorization": ANN},
        {"X-API-Key": "qapi_"},
        {"X-API-Key": "qapi_" + "x" * 600},
        {"X-API-Key": "qapi_two words"},
        {"X-API-Token": "nothing"},
        {"X-Auth-Token": "nothing"},
    ]
    async with serving(sandbox, api_token=ANN) as served:
        assert [await status(served.url, headers) for headers in doubtful] == [401] * len(doubtful)
    assert sandbox.requests == []


@pytest.mark.parametrize("client", [("192.0.2.9", 5000), ("unix", 0), None])
async def test_peers_from_elsewhere_are_not_lent_the_token(client: tuple[str, int] | None) -> None:
    served_app = app(Settings(sandbox=True))

    async def moved(scope: Any, receive: Any, send: Any) -> None:
        await served_app({**scope, "client": client} if scope["type"] == "http" else scope, receive, send)

    async with running(moved) as served:
        assert (await ask(served.url, {})).status_code == 401
        assert (await ask(served.url, {"X-API-Key": "qapi_sandbox"})).status_code == 200


async def test_a_process_managers_app_is_configured_by_the_environment_and_lends_nothing(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, logger="httpcore")  # so that it is as it was afterwards
    async with sandbox.serve() as service:
        monkeypatch.setenv("QUANTINAL_BASE_URL", service)
        monkeypatch.setenv("QUANTINAL_API_TOKEN", ANN)
        async with running(create_app()) as served:
            assert (await ask(served.url, {})).status_code == 401
            assert (await ask(served.url, {"X-API-Key": BEN})).status_code == 200
    assert {one.account for one in sandbox.requests} == {1}


async def test_a_refusal_says_what_to_send(sandbox: Sandbox) -> None:
    async with serving(sandbox) as served:
        bare = await ask(served.url, {})
        wrong = await ask(served.url, {"Authorization": "Bearer sk-1"})
    assert bare.status_code == wrong.status_code == 401
    assert bare.headers["www-authenticate"] == 'Bearer realm="Quantinal"'
    assert wrong.headers["www-authenticate"] == 'Bearer realm="Quantinal", error="invalid_token"'
    error = bare.json()["error"]
    assert "[unauthorized]" in error["message"]
    assert "Authorization: Bearer qapi_" in error["message"]
    assert "sk-1" not in wrong.text


@both_eras
async def test_the_sdks_client_shows_the_refusal(sandbox: Sandbox, mode: Mode) -> None:
    async with serving(sandbox) as served:
        with pytest.raises(BaseExceptionGroup) as caught:
            async with connected(served, None, mode):
                pass
    assert caught.group_contains(MCPError, match="Authorization: Bearer qapi_", depth=None)


async def test_two_different_tokens_in_one_request_are_refused(sandbox: Sandbox) -> None:
    contradictory = [
        [("Authorization", f"Bearer {ANN}"), ("X-API-Key", BEN)],
        [("X-API-Key", ANN), ("X-API-Token", BEN)],
        [("X-API-Key", ANN), ("X-Auth-Token", BEN)],
        [("X-API-Key", ANN), ("X-API-Key", BEN)],
        [("Authorization", f"Bearer {ANN}"), ("Authorization", f"Bearer {BEN}")],
    ]
    async with serving(sandbox) as served:
        refused = [await ask(served.url, headers) for headers in contradictory]
    assert [one.status_code for one in refused] == [400] * len(contradictory)
    assert not any(token in one.text for one in refused for token in (ANN, BEN))
    assert sandbox.requests == []


@pytest.mark.parametrize("path", ["/mcp/", "/mcp//"])
async def test_a_slash_too_many_is_served_and_not_redirected(sandbox: Sandbox, path: str) -> None:
    async with serving(sandbox) as served, plain() as http:
        request = Wire(served.url, ANN).request(http, "tools/call", LIST)
        request.url = request.url.copy_with(path=path)
        assert (await http.send(request)).status_code == 200
        del request.headers["Authorization"]
        assert (await http.send(request)).status_code == 401


@pytest.mark.parametrize("path", ["/health/", "/mcp/x", "/mcp/x/", "//evil.example.com/mcp/..", "/"])
async def test_no_path_is_redirected(sandbox: Sandbox, path: str) -> None:
    async with serving(sandbox) as served, plain() as http:
        for method in ("GET", "POST"):
            response = await http.request(method, served.url + path, headers={"X-API-Key": ANN, "Host": "evil.example"})
            assert response.status_code == 404
            assert "location" not in response.headers


async def test_only_known_hosts_are_served(sandbox: Sandbox) -> None:
    known = ("127.0.0.1", "127.0.0.1:8000", "localhost:1", "[::1]:8000", "mcp.example.com", "any.example.com:8443")
    unknown = (
        "mcp.example.com:8443",
        "any.example.com",
        "evil.example.com",
        "localhost.evil.example.com",
        "127.0.0.1.evil.example.com:80",
        "169.254.169.254",
    )
    async with serving(sandbox, allowed_hosts=("MCP.example.com", "any.example.com:*")) as served:
        for hosts, expected, without_token in ((known, 200, 401), (unknown, 421, 421)):
            with_token = [await status(served.url, {"Host": host, "X-API-Key": ANN}) for host in hosts]
            assert with_token == [expected] * len(hosts)
            assert [await status(served.url, {"Host": host}) for host in hosts] == [without_token] * len(hosts)


async def test_only_known_origins_are_served(sandbox: Sandbox) -> None:
    known = (
        "http://localhost:6274",
        "http://127.0.0.1",
        "https://mcp.example.com",
        "http://mcp.example.com",
        "http://any.example.com:8443",
    )
    unknown = (
        "https://mcp.example.com:8443",
        "https://evil.example.com",
        "http://localhost.evil.example.com:80",
        "file://localhost",
        "null",
    )
    async with serving(sandbox, allowed_hosts=("mcp.example.com", "any.example.com:*")) as served:
        for origins, expected in ((known, 200), (unknown, 403)):
            found = [await status(served.url, {"Origin": origin, "X-API-Key": ANN}) for origin in origins]
            assert found == [expected] * len(origins)


async def test_without_allowed_hosts_only_loopback_names_are_served(sandbox: Sandbox) -> None:
    async with serving(sandbox, host="0.0.0.0") as served:
        assert (await ask(served.url, {"Host": "mcp.example.com", "X-API-Key": ANN})).status_code == 421
        assert (await ask(served.url, {"Host": "localhost:8000", "X-API-Key": ANN})).status_code == 200


async def test_ready_is_who_can_write_triggers_down_and_it_tells_nobody_where(sandbox: Sandbox, tmp_path: Path) -> None:
    place = tmp_path / "journal.db"
    async with serving(sandbox, state=str(place)) as served, plain() as http:
        assert (await http.get(f"{served.url}/ready")).json() == {"status": "ready"}
        assert not place.exists()
    place.write_text("no database at all" * 100)
    async with serving(sandbox, state=str(place)) as served, plain() as http:
        unready = await http.get(f"{served.url}/ready", headers={"Host": "10.0.0.5:8000"})
        assert (unready.status_code, unready.json()["status"]) == (503, "not ready")
        assert "journal.db" not in unready.text
        assert (await http.get(f"{served.url}/health")).status_code == 200
        place.unlink()
        with anyio.fail_after(5):
            while (await http.get(f"{served.url}/ready")).status_code != 200:  # noqa: ASYNC110
                await anyio.sleep(0.1)


async def test_health_asks_for_nothing_and_tells_nothing_of_an_account(sandbox: Sandbox) -> None:
    async with serving(sandbox, api_token=ANN, host="0.0.0.0") as served, plain() as http:
        # Load balancers ask by address.
        healthy = await http.get(f"{served.url}/health", headers={"Host": "10.0.0.5:8000"})
        assert (healthy.status_code, healthy.json()) == (200, {"status": "ok", "version": __version__})
        assert (await http.post(f"{served.url}/health")).status_code == 405
        assert (await http.get(f"{served.url}/.well-known/oauth-protected-resource")).status_code == 404
    assert sandbox.requests == []
