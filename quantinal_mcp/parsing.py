"""How a setting is read from text: each function raises `ValueError` saying what is expected."""

from __future__ import annotations

import math
import os
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from quantinal_mcp.journal.address import parse_address

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})

_ON = frozenset({"1", "true", "yes", "on"})
_OFF = frozenset({"0", "false", "no", "off"})


def parse_switch(text: str) -> bool:
    """Read on or off."""
    word = text.strip().lower()
    if word in _ON | _OFF:
        return word in _ON
    raise ValueError("expected on or off")


def parse_number(text: str, lowest: float = 0.0, highest: float = math.inf) -> float:
    """Read a finite number from `lowest` to `highest`."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if math.isfinite(number) and lowest <= number <= highest:
        return number
    limits = f"of at least {lowest:g}" if highest == math.inf else f"from {lowest:g} to {highest:g}"
    raise ValueError(f"expected a number {limits}")


def parse_port(text: str) -> int:
    """Read a TCP port."""
    if text.strip().isdecimal() and int(text) <= 65535:
        return int(text)
    raise ValueError("expected a port from 0 to 65535")


def parse_names(text: str) -> tuple[str, ...]:
    """Read a comma list."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def parse_base_url(text: str) -> str:
    """Read an https URL; plain http only to loopback, so that the token never travels in the clear."""
    url = _split(text, "https://host/v1")
    if url.scheme not in {"http", "https"} or url.query or url.fragment:
        raise ValueError("expected a URL like https://host/v1")
    if url.scheme == "http" and url.hostname not in LOOPBACK:
        raise ValueError("plain http is accepted to loopback only, use https")
    return text.strip().rstrip("/")


def parse_console_url(text: str) -> str:
    """Read the https URL of a page, as a browser is given it."""
    page, url = text.strip(), _split(text, "https://host/path")
    if url.scheme != "https" or not page.isprintable() or " " in page:
        raise ValueError("expected a URL like https://host/path")
    return page


def _split(text: str, example: str) -> SplitResult:
    """Return the parts of a URL that names a host, and no credentials."""
    expected = f"expected a URL like {example}"
    try:
        url = urlsplit(text.strip())
        port_is_valid = url.port is None or url.port >= 0
    except ValueError:
        raise ValueError(expected) from None
    if not port_is_valid or not url.hostname:
        raise ValueError(expected)
    if url.username or url.password:
        raise ValueError("a URL with credentials in it is refused")
    return url


def parse_token(text: str) -> str:
    """Read an API token: it travels in a header, so it is one word of visible ASCII."""
    token = text.strip()
    if token.isascii() and token.isprintable() and " " not in token:
        return token
    raise ValueError("expected a token like qapi_…")


def parse_roots(text: str) -> tuple[Path, ...]:
    """Read folders separated by the system's path separator; each must exist."""
    roots: list[Path] = []
    for part in filter(None, (part.strip() for part in text.split(os.pathsep))):
        root = _at_home(part)
        try:
            is_folder = root.is_dir()
        except OSError:
            is_folder = False
        if not is_folder:
            raise ValueError(f"{part!r} is not a folder")
        roots.append(root.resolve())
    return tuple(roots)


def _at_home(path: str) -> Path:
    """Return a path with what its `~` stands for."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise ValueError("no home directory is known that ~ could stand for") from None


def parse_state_keys(text: str) -> tuple[str, ...]:
    """Read a comma list of keys of 32 bytes or more."""
    keys = parse_names(text)
    if any(len(key.encode()) < 32 for key in keys):
        raise ValueError("expected keys of 32 bytes or more")
    if len(set(keys)) < len(keys):
        raise ValueError("a key is given twice")
    return keys


def parse_state(text: str) -> str:
    """Read where the journal is: `memory`, a path, which is made absolute, or a PostgreSQL database's address."""
    place = text.strip()
    if place == "memory":
        return place
    scheme, is_address, rest = place.partition("://")
    return parse_address(scheme, rest) if is_address else str(_at_home(place).absolute())
