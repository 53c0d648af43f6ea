"""Addresses of PostgreSQL databases: whoever logs in there, and how, is in them, and is never shown."""

from __future__ import annotations

from typing import Final

DATABASE: Final = "postgresql://"
"""How a journal's place begins that is no file."""


def parse_address(scheme: str, rest: str) -> str:
    """Return the address `scheme://rest` as this program writes it.

    Raises:
        ValueError: It is none, or what is special in a password is not written as %XX: then nobody could tell what of
            it may be shown.
    """
    if scheme.lower() not in {"postgresql", "postgres"}:
        raise ValueError("expected a path, postgresql://…, or memory")
    place, _, path = rest.partition("/")
    if not place.rpartition("@")[2] or place.count("@") > 1 or "@" in path or set("?#") & set(place):
        raise ValueError("expected postgresql://user:password@host/database, with what is special in it as %XX")
    return DATABASE + rest


def shown(address: str) -> str:
    """Return an address without who logs in, and how."""
    place, slash, path = address.removeprefix(DATABASE).partition("/")
    return DATABASE + place.rpartition("@")[2] + slash + path.partition("?")[0]
