"""What the environment says of the way to a host: through which proxy, and trusting whom.

httpx reads the same variables, but fails with whatever it meets in them, also where it concerns no host of ours
(https://github.com/encode/httpx/issues/3221, https://github.com/encode/httpx/issues/3574), and sends what is meant
for this machine to a proxy. So it is told what follows from them instead.
"""

from __future__ import annotations

import ipaddress
import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import httpx

from quantinal_mcp.errors import Misconfigured

_PORTS = {"http": 80, "https": 443}


class Proxy(NamedTuple):
    """A proxy's URL, which may hold a password, and what it is called where it was set."""

    url: str
    variable: str


def proxy_for(base_url: str, environ: Mapping[str, str], proxies: Mapping[str, str]) -> Proxy | None:
    """Return the proxy on the way to a host; None where the way is direct, as it always is to this machine.

    `proxies` are what `urllib.request.getproxies` makes of `environ`, or of the system's settings.

    Raises:
        Misconfigured: What should be a proxy's URL is none.
    """
    url = urlsplit(base_url)
    host, port = url.hostname or "", url.port or _PORTS[url.scheme]
    if is_loopback(host) or is_exempt(proxies.get("no", ""), url.scheme, host, port):
        return None
    for kind in (url.scheme, "all"):
        if given := proxies.get(kind):
            names = (name for name in (f"{kind}_proxy", f"{kind}_proxy".upper()) if environ.get(name))
            variable = next(names, "the system's proxy settings")
            if not _is_proxy(given := given if "://" in given else f"http://{given}"):
                raise Misconfigured(
                    f"{variable} is not the URL of a proxy.",
                    "Nothing was sent. Tell the user to set it to one, with scheme, host and port, or to add "
                    f"{host} to NO_PROXY, and to start this server anew.",
                )
            return Proxy(given, variable)
    return None


def _is_proxy(given: str) -> bool:
    try:
        url = httpx.URL(given)
        is_somewhere = bool(url.host) and (url.port is None or 0 < url.port < 65_536)
    except (httpx.InvalidURL, ValueError):
        return False
    return is_somewhere and " " not in given and url.scheme in {"http", "https", "socks5", "socks5h"}


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    address = _address(host)
    return address.is_loopback if address else host == "localhost" or host.endswith(".localhost")


def is_exempt(no_proxy: str, scheme: str, host: str, port: int) -> bool:
    """Whether `NO_PROXY` covers a host: by name, with what is below it, by address, by network, or with `*`.

    An entry may name a scheme and a port as well. One that cannot be understood covers nothing.
    """
    return any(_covers(entry.lower(), scheme, host, port) for entry in no_proxy.replace(",", " ").split())


def _covers(entry: str, scheme: str, host: str, port: int) -> bool:
    wanted, separator, rest = entry.rpartition("://")
    if separator and wanted not in {"all", scheme}:
        return False
    if rest == "*":
        return True
    address, network = _address(host), _network(rest.strip("[]"))
    if network is not None:
        return address is not None and address in network
    try:
        place = urlsplit(f"//{rest}")
        name, wanted_port = (place.hostname or "").removeprefix("*").strip("."), place.port
    except ValueError:
        return False
    if not name or wanted_port not in {None, port}:
        return False
    plain = host.rstrip(".")
    return plain == name or (address is None and plain.endswith(f".{name}"))


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def trust(environ: Mapping[str, str]) -> ssl.SSLContext:
    """Return what certificates are checked with: `SSL_CERT_FILE`, `SSL_CERT_DIR`, or the authorities of browsers.

    Raises:
        Misconfigured: The file holds no certificates, or the folder does not exist.
    """
    file, folder = environ.get("SSL_CERT_FILE"), environ.get("SSL_CERT_DIR")
    variable = "SSL_CERT_FILE" if file else "SSL_CERT_DIR" if folder else "The list of authorities (package certifi)"
    try:
        if folder and not file:
            if not any(Path(part).is_dir() for part in folder.split(os.pathsep)):
                raise FileNotFoundError  # which OpenSSL would only notice by trusting nobody
            return ssl.create_default_context(capath=folder)
        return ssl.create_default_context(cafile=file) if file else httpx.create_ssl_context(trust_env=False)
    except (OSError, ValueError) as error:
        if (log := environ.get("SSLKEYLOGFILE")) and getattr(error, "filename", None) == log:
            variable = "SSLKEYLOGFILE"
    raise Misconfigured(
        f"{variable} cannot be used: no such file or folder, or no certificates in PEM form in it.",
        "Nothing was sent. Tell the user to correct or unset it, and to start this server anew.",
    )
