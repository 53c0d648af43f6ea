"""The environment: proxies, whom they are not for, and whom to trust."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path

import pytest

from quantinal_mcp.client.environment import is_exempt, is_loopback, proxy_for, trust
from quantinal_mcp.errors import Misconfigured

LIVE = "https://api.quantinal.ai/v1"


@pytest.mark.parametrize(
    ("no_proxy", "covered"),
    [
        ("", False),
        ("*", True),
        ("api.quantinal.ai", True),
        ("API.Quantinal.AI", True),
        ("quantinal.ai", True),
        (".quantinal.ai", True),
        ("*.quantinal.ai", True),
        ("*quantinal.ai", True),
        ("ai", True),
        ("tinal.ai", False),
        ("x.api.quantinal.ai", False),
        ("api.quantinal.ai:443", True),
        ("api.quantinal.ai:8443", False),
        ("https://quantinal.ai", True),
        ("all://quantinal.ai", True),
        ("http://quantinal.ai", False),
        ("::1/128", False),
        ("[::1]", False),
        ("localhost,127.0.0.1,::1, .local,10.0.0.0/8 , quantinal.ai", True),
        ("localhost 10.0.0.0/8 quantinal.ai", True),
        ("localhost,fe80::/10,[::1]:x,http://[,a:b:c,10.0.0.0/99,:,.,*.,//,\x00", False),
    ],
)
def test_which_names_need_no_proxy(no_proxy: str, covered: bool) -> None:
    assert is_exempt(no_proxy, "https", "api.quantinal.ai", 443) is covered


@pytest.mark.parametrize(
    ("no_proxy", "host", "covered"),
    [
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.1/8", "10.1.2.3", True),
        ("10.1.2.3", "10.1.2.3", True),
        ("10.1.2.3:443", "10.1.2.3", True),
        ("10.1.2.3:80", "10.1.2.3", False),
        ("2.3", "10.1.2.3", False),
        ("fd00::/8", "fd12::1", True),
        ("[fd12::1]", "fd12::1", True),
        ("[fd12::1]:443", "fd12::1", True),
        ("FD12:0::1", "fd12::1", True),
        ("10.0.0.0/8", "fd12::1", False),
        ("fd00::/8", "10.1.2.3", False),
    ],
)
def test_which_addresses_need_no_proxy(no_proxy: str, host: str, covered: bool) -> None:
    assert is_exempt(no_proxy, "https", host, 443) is covered


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("localhost", True),
        ("a.localhost", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost.example", False),
        ("10.0.0.1", False),
        ("api.quantinal.ai", False),
    ],
)
def test_which_hosts_are_this_machine(host: str, here: bool) -> None:
    assert is_loopback(host) is here


@pytest.mark.parametrize(
    ("environ", "url", "variable"),
    [
        ({}, None, None),
        ({"HTTP_PROXY": "nonsense://"}, None, None),
        ({"NO_PROXY": "::1/128,[::1]"}, None, None),
        ({"HTTPS_PROXY": "http://p:3128"}, "http://p:3128", "HTTPS_PROXY"),
        ({"https_proxy": "p:3128"}, "http://p:3128", "https_proxy"),
        ({"https_proxy": "http://low", "HTTPS_PROXY": "http://up"}, "http://low", "https_proxy"),
        ({"ALL_PROXY": "http://u:s3cret@p:1"}, "http://u:s3cret@p:1", "ALL_PROXY"),
        ({"ALL_PROXY": "socks5://p:1", "HTTPS_PROXY": "https://q"}, "https://q", "HTTPS_PROXY"),
        ({"ALL_PROXY": "socks5h://p:1"}, "socks5h://p:1", "ALL_PROXY"),
        ({"ALL_PROXY": "nonsense", "NO_PROXY": "quantinal.ai"}, None, None),
        ({"HTTPS_PROXY": "socks4://p:1", "NO_PROXY": "*"}, None, None),
    ],
)
def test_the_way_to_a_host(environ: Mapping[str, str], url: str | None, variable: str | None) -> None:
    found = proxy_for(LIVE, environ, proxies_of(environ))
    assert (found and found.url, found and found.variable) == (url, variable)


def proxies_of(environ: Mapping[str, str]) -> dict[str, str]:
    """What the standard library makes of the variables: the ones in small letters win."""
    named = sorted((name for name in environ if name.lower().endswith("_proxy")), key=str.islower)
    return {name.lower().removesuffix("_proxy"): environ[name] for name in named}


@pytest.mark.parametrize("base_url", ["http://127.0.0.1:8000/v1", "http://localhost/v1", "http://[::1]:1/v1"])
@pytest.mark.parametrize("proxy", ["http://p:3128", "nonsense", "socks5://p"])
def test_the_way_to_this_machine_is_direct(base_url: str, proxy: str) -> None:
    environ = {"HTTP_PROXY": proxy, "HTTPS_PROXY": proxy, "ALL_PROXY": proxy}
    assert proxy_for(base_url, environ, proxies_of(environ)) is None


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
@pytest.mark.parametrize(
    "value",
    [
        "http://",
        "http://u:s3cret@p:x",
        "http://p:99999",
        "http://p:0",
        "socks4://p",
        "ftp://p",
        "http://[::1",
        "http://a b",
        "a\x01",
    ],
)
def test_a_proxy_that_is_none_is_named_and_not_shown(variable: str, value: str) -> None:
    environ = {variable: value}
    with pytest.raises(Misconfigured) as caught:
        proxy_for(LIVE, environ, proxies_of(environ))
    text = str(caught.value)
    assert text.startswith(f"[misconfigured] {variable} is not the URL of a proxy. Nothing was sent.")
    assert "add api.quantinal.ai to NO_PROXY" in text
    assert "s3cret" not in text


def test_a_proxy_of_the_system_is_called_so() -> None:
    with pytest.raises(Misconfigured, match="the system's proxy settings"):
        proxy_for(LIVE, {}, {"https": "http://"})


def test_authorities_are_those_of_browsers_or_of_a_file_or_a_folder(tmp_path: Path) -> None:
    authorities = trust({})
    assert authorities.verify_mode is ssl.CERT_REQUIRED
    assert authorities.check_hostname
    first = ssl.DER_cert_to_PEM_cert(authorities.get_ca_certs(binary_form=True)[0])
    file = tmp_path / "ca.pem"
    file.write_text(first)
    assert len(trust({"SSL_CERT_FILE": str(file), "SSL_CERT_DIR": "/nowhere"}).get_ca_certs()) == 1
    assert trust({"SSL_CERT_DIR": f"/nowhere:{tmp_path}"}).verify_mode is ssl.CERT_REQUIRED
    assert trust({"SSL_CERT_FILE": "", "SSL_CERT_DIR": ""}).get_ca_certs()


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
@pytest.mark.parametrize("value", ["missing", "empty", "text", "\0"])
def test_a_file_that_holds_no_certificates_is_named(tmp_path: Path, variable: str, value: str) -> None:
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "text").write_text("no certificate")
    with pytest.raises(Misconfigured, match=rf"\[misconfigured\] {variable} cannot be used"):
        trust({variable: str(tmp_path / value)})


def test_a_key_log_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = str(tmp_path / "missing" / "keys")
    monkeypatch.setenv("SSLKEYLOGFILE", log)
    with pytest.raises(Misconfigured, match="SSLKEYLOGFILE cannot be used"):
        trust({"SSLKEYLOGFILE": log})
