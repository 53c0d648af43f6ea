"""How an answer differs from what is promised of it: decisions without I/O, and without a word of the content.

What is said names documented fields, the names of new ones, JSON types, and words of the service's own vocabulary.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple, cast

from quantinal_mcp.contract.promises import Kind, Promise

Sort = Literal["missing", "new", "type", "value", "id", "time"]

_UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(?P<seconds>:\d\d)?(?P<fraction>\.\d+)?(?P<offset>Z|[+-]\d\d:?\d\d)?")
_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}", re.ASCII)
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,19}", re.ASCII)

_SPOKEN: Mapping[Kind, str] = {
    "text": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "time": "a time",
    "object": "an object",
    "list": "a list",
    "anything": "anything",
}


class Difference(NamedTuple):
    """One difference within one value; `field` is its path there, empty for the value itself."""

    field: str
    sort: Sort
    detail: str


def differences(value: Any, promise: Promise, field: str = "") -> Iterator[Difference]:
    """Yield how a decoded JSON value differs from its promise."""
    if promise.kind == "anything" or (value is None and promise.nullable):
        return
    if not _is(value, promise.kind):
        yield Difference(field, "type", f"{type_of(value)} where {_SPOKEN[promise.kind]} is promised")
    elif isinstance(value, dict):
        yield from _in_object(cast("dict[str, Any]", value), promise, field)
    elif isinstance(value, list):
        if promise.item is not None:
            for item in cast("list[Any]", value):
                yield from differences(item, promise.item, f"{field}[]")
    elif isinstance(value, str):
        yield from _in_text(value, promise, field)
    elif isinstance(value, int | float) and promise.low is not None and not promise.low <= value <= promise.high:
        outside = (
            f"below {promise.low:g}" if promise.high == math.inf else f"outside {promise.low:g} to {promise.high:g}"
        )
        yield Difference(field, "value", f"a number {outside}")


def _in_object(value: Mapping[str, Any], promise: Promise, field: str) -> Iterator[Difference]:
    if not promise.fields:
        return
    inner = f"{field}." if field else ""
    for name, promised in promise.fields.items():
        if name in value:
            yield from differences(value[name], promised, inner + name)
        elif not promised.optional:
            yield Difference(inner + name, "missing", "promised, and not sent")
    for name in value.keys() - promise.fields.keys():
        shown = name if _FIELD.fullmatch(name) else "(a name that is not shown)"
        yield Difference(inner + shown, "new", f"sent, and not documented ({type_of(value[name])})")


def _in_text(value: str, promise: Promise, field: str) -> Iterator[Difference]:
    if promise.words and value not in promise.words:
        shown = value if _WORD.fullmatch(value) else "(not shown)"
        yield Difference(field, "value", f"none of {', '.join(promise.words)}: {shown}")
    elif promise.prefix is not None and not re.fullmatch(promise.prefix + _UUID, value):
        promised = f"{promise.prefix} and a UUID" if promise.prefix else "a UUID"
        yield Difference(field, "id", f"an id of another form than {promised}: {_form(value, promise.prefix)}")
    elif promise.kind == "time" and (other := _form_of_time(value)):
        yield Difference(field, "time", f"a time of another form than 2026-02-18T10:30:00Z: {other}")


def _is(value: Any, kind: Kind) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    expected = {
        "text": str,
        "time": str,
        "integer": int,
        "number": int | float,
        "object": dict,
        "list": list,
    }.get(kind)
    return expected is not None and isinstance(value, expected)


def type_of(value: Any) -> str:
    """Return what JSON calls a value, or nearly so."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    names = {str: "a text", int: "a whole number", float: "a number with a fraction", dict: "an object", list: "a list"}
    return next(name for kind, name in names.items() if isinstance(value, kind))


def _form(identifier: str, prefix: str) -> str:
    rest = identifier.removeprefix(prefix)
    begins = f"{prefix} and " if prefix and rest != identifier else ""
    return f"{begins}{'a UUID' if re.fullmatch(_UUID, rest) else f'{len(rest)} characters'}"


def _form_of_time(value: str) -> str | None:
    """What is unusual about a time; None for the documents' own form."""
    found = _TIME.fullmatch(value)
    if found is None:
        return "no ISO 8601 time"
    unusual = ["without seconds"] if found["seconds"] is None else []
    if found["fraction"]:
        unusual.append("with fractions of a second")
    if found["offset"] != "Z":
        unusual.append("without an offset" if found["offset"] is None else "with another offset than Z")
    return ", ".join(unusual) or None
