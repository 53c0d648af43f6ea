"""Ways to a host, over real sockets: proxies, and certificates that are trusted or not."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import anyio
import pytest

from help.seeded import TESLA, TOKEN
from help.services import Keeping, reaching
from help.tls import LIVE, Proxy, certificate, served_with
from quantinal_mcp.client import Http, QuantinalClient
from quantinal_mcp.errors import Misconfigured, NetworkError, QuantinalError

pytestmark = pytest.mark.anyio

BASE = f"https://{LIVE}/v1"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate(tmp_path_factory.mktemp("tls"))


async def trigger(client: QuantinalClient, seconds: float = 5) -> Any:
    return await client.trigger_run(TESLA, sync=False, context=None, seconds=seconds)


def proxies(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, url)


async def test_what_is_meant_for_this_machine_goes_to_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Keeping().serving() as service, Proxy().serving() as proxy:
        proxies(monkeypatch, proxy.url)
        async with reaching(service.url) as client:
            await client.list_spaces()
            await trigger(client)
    assert proxy.connections == 0


@pytest.mark.parametrize("nonsense", ["socks5://p:1", "nonsense://", "http://p:x"])
async def test_what_is_meant_for_this_machine_needs_no_proxy_that_can_be_used(
    monkeypatch: pytest.MonkeyPatch, nonsense: str
) -> None:
    proxies(monkeypatch, nonsense)
    monkeypatch.setenv("NO_PROXY", "::1/128,[::1],fe80::/10")
    monkeypatch.setenv("SSL_CERT_FILE", "/missing")
    async with Keeping().serving() as service, reaching(service.url) as client:
        await client.list_spaces()


async def test_a_request_goes_through_the_proxy_as_a_tunnel_that_it_cannot_look_into(
    monkeypatch: pytest.MonkeyPatch, authority: Path
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    async with Keeping().serving(served_with(authority)) as service, Proxy(leads_to=service.port).serving() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        async with reaching(BASE) as client:
            for _ in range(3):
                await client.list_spaces()
            await trigger(client)
        assert proxy.connections == 2
        assert proxy.heard[0].startswith(f"CONNECT {LIVE}:443 HTTP/1.1\r\n".encode())
        assert not any(secret in data for data in proxy.heard for secret in (TOKEN.encode(), b"Authorization"))
        assert all("Bearer" in head for head in service.heads)


async def test_a_proxy_that_wants_a_password_is_named_after_one_try(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Proxy("407 Proxy Authentication Required").serving() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        async with reaching(BASE) as client:
            for call in (client.list_spaces, lambda: trigger(client)):
                with pytest.raises(Misconfigured, match="HTTPS_PROXY wants a name and a password") as caught:
                    await call()
                assert "name:password@ before the host" in str(caught.value)
        assert proxy.connections == 2


async def test_a_proxy_that_leads_elsewhere_only_is_said_to(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Proxy("403 Forbidden").serving() as proxy:
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        async with reaching(BASE) as client:
            for call in (client.list_spaces, lambda: trigger(client)):
                with pytest.raises(NetworkError, match=r"proxy of ALL_PROXY does not connect to .* \(403 Forbidden\)"):
                    await call()
        assert proxy.connections == 2


async def test_a_proxy_that_does_not_answer_has_sent_nothing_on(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Proxy(hangs=True).serving() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        async with reaching(BASE) as client:
            with pytest.raises(QuantinalError) as caught:
                await trigger(client, seconds=0.3)
    assert caught.value.code == "timeout"
    assert getattr(caught.value, "connected", None) is False


@pytest.mark.patient
async def test_a_proxy_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{free.getsockname()[1]}")
        async with reaching(BASE) as client:
            with pytest.raises(NetworkError, match="through the proxy of https_proxy: it refuses the connection"):
                await trigger(client, seconds=1)


async def test_a_certificate_that_is_not_trusted_is_said_to_be_so_after_one_try(
    monkeypatch: pytest.MonkeyPatch, authority: Path
) -> None:
    async with Keeping().serving(served_with(authority)) as service:
        async with reaching(service.url) as client:
            with anyio.fail_after(5):
                for call in (client.list_spaces, lambda: trigger(client)):
                    with pytest.raises(NetworkError, match=r"certificate of 127.0.0.1 is not trusted \(self") as caught:
                        await call()
                    assert "SSL_CERT_FILE" in str(caught.value)
                    assert caught.value.connected is False
        assert not service.lines
        monkeypatch.setenv("SSL_CERT_FILE", str(authority))
        async with reaching(service.url) as client:
            await trigger(client)
        assert len(service.asked) == 1


async def test_a_name_that_is_not_known_is_said_to_be_so() -> None:
    nowhere = f"{'a' * 70}.invalid"
    async with reaching(f"https://{nowhere}/v1") as client:
        with pytest.raises(NetworkError, match=f"Could not connect to {nowhere}: its name is not known"):
            await trigger(client, seconds=0.3)


async def test_a_probe_tells_the_date_of_whatever_answers_and_carries_no_token(authority: Path) -> None:
    async with Keeping("Date: Sun, 01 Mar 2026 12:00:00 GMT\r\n").serving() as service:
        http = Http(service.url)
        try:
            assert await http.probe(5) == "Sun, 01 Mar 2026 12:00:00 GMT"
        finally:
            await http.aclose()
        assert service.asked == ["GET /v1/api/spaces"]
        assert "authorization" not in service.heads[0].lower()
    async with Keeping().serving(served_with(authority)) as service:
        http = Http(service.url)
        try:
            with pytest.raises(NetworkError, match="not trusted"):
                await http.probe(5)
        finally:
            await http.aclose()


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("HTTPS_PROXY", "http://p:x", "HTTPS_PROXY is not the URL of a proxy"),
        ("ALL_PROXY", "socks5://p:1", "ALL_PROXY names a SOCKS proxy"),
        ("SSL_CERT_FILE", "/missing", "SSL_CERT_FILE cannot be used"),
        ("SSL_CERT_DIR", "/missing", "SSL_CERT_DIR cannot be used"),
    ],
)
async def test_an_environment_that_leads_nowhere_is_named_by_every_call(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, words: str
) -> None:
    monkeypatch.setenv(variable, value)
    async with reaching(BASE) as client:
        for call in (client.list_spaces, lambda: trigger(client), client.list_spaces):
            with pytest.raises(Misconfigured, match=words) as caught:
                await call()
            assert "Nothing was sent" in str(caught.value)


async def test_a_base_url_that_no_request_can_be_sent_to_is_named() -> None:
    async with reaching("https://xn--/v1") as client:
        with pytest.raises(Misconfigured, match="QUANTINAL_BASE_URL"):
            await client.list_spaces()
