"""What is taken although it is not written as the schema has it, because it can only mean one thing.

Camel case for snake case, a word of a few in another case, a lone value or a comma list for a list, an object as JSON
text, nothing (null or an empty text) for an argument that is left out, a plain date for that UTC day, an id in capitals
or with white space around it, and a text for the notes of a run. A decision without I/O, over a tool's own schema.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Any, cast

from quantinal_mcp.errors import InvalidRequest
from quantinal_mcp.models.common import Object, iso_utc
from quantinal_mcp.models.text import is_blank
from quantinal_mcp.protocol.calls.unknown import unknown_arguments
from quantinal_mcp.protocol.calls.words import is_uuid
from quantinal_mcp.protocol.schemas import Schema

EMPTY_CLEARS = "empty clears"
"""What the description of a text says where an empty one is an order."""

_MOST_VALUES = 200_000
"""In an argument that is JSON in a text."""
_PLAIN_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_PREFIX = re.compile(r"\^([a-z]+_)")
_NOT_GIVEN = object()


def take(tool: str, given: Mapping[str, Any], properties: Schema) -> Object:
    """Return the arguments of a call as the tool's schema has them, as far as they can be read so.

    Raises:
        InvalidRequest: An argument that the tool does not have, a value that JSON cannot carry, or a text with nothing
            to see in it.
    """
    named = meant(given, properties)
    unknown = [name for name in named if name not in properties]
    if unknown:
        raise unknown_arguments(tool, unknown, given, properties)
    taken = _object(named, properties)
    if not _is_encodable(taken):
        raise InvalidRequest(
            "The arguments hold a number or text that JSON cannot carry.",
            "Send finite numbers and valid Unicode; nothing was sent.",
        )
    return taken


def meant(given: Mapping[str, Any], properties: Schema) -> Object:
    """Return what was given under the names that were meant; what is unknown, or given twice, keeps its name."""
    known = {_bare(name): name for name in properties}
    named: Object = {}
    for written, value in given.items():
        name = str(written)
        if name not in properties:
            likely = known.get(_bare(name), name)
            name = name if likely in given or likely in named else likely
        named[name] = value
    return named


def _bare(name: str) -> str:
    return re.sub(r"[_\-\s]", "", name).casefold()


def _object(named: Mapping[str, Any], properties: Schema) -> Object:
    taken: Object = {}
    for name, value in named.items():
        read = _read(name, value, cast("Schema", properties.get(name, {})), is_filter=True)
        if read is not _NOT_GIVEN:
            taken[name] = read
    return taken


def _read(name: str, value: Any, schema: Schema, *, is_filter: bool) -> Any:
    if value is None or (value == "" and schema and not _may_clear(schema)):
        return _NOT_GIVEN
    if isinstance(value, str) and _wants_json(schema):
        if value.strip() == "null":
            return _NOT_GIVEN
        value = _decoded(name, value, schema)
    if "properties" in schema and isinstance(value, dict):
        return _nested(name, cast("Object", value), schema)
    if schema.get("type") == "array":
        return _listed(name, value, cast("Schema", schema.get("items", {})))
    if isinstance(value, str):
        return _word(name, value, schema, is_filter=is_filter)
    return value


def _nested(outer: str, value: Object, schema: Schema) -> Any:
    """An object of ours, by the same rules; one that says nothing counts as not given."""
    properties = cast("Schema", schema["properties"])
    taken: Object = {}
    for name, item in meant(value, properties).items():
        read = _read(f"{outer}.{name}", item, cast("Schema", properties.get(name, {})), is_filter=False)
        if read is not _NOT_GIVEN:
            taken[name] = read
    return taken if taken or not value else _NOT_GIVEN


def _listed(name: str, value: Any, items: Schema) -> Any:
    """A list of ids or words: a lone one is a list of one, and commas part them."""
    values: list[Any] = cast("list[Any]", value) if isinstance(value, list) else [value]
    if items.get("type") != "string" or not all(isinstance(item, str) for item in values):
        return cast("Any", value)
    parts = [part.strip() for item in values for part in item.split(",")]
    return [_word(name, part, items, is_filter=False) for part in parts if part or values is value]


def _word(name: str, value: str, schema: Schema, *, is_filter: bool) -> Any:
    if words := cast("list[str]", schema.get("enum", [])):
        likely = [word for word in words if word.casefold() == value.strip().casefold()]
        return likely[0] if len(likely) == 1 else value
    if pattern := schema.get("pattern"):
        return _id(value, pattern)
    if is_filter and schema.get("format") == "date-time" and _PLAIN_DATE.fullmatch(value.strip()):
        return _day(value.strip(), is_end=name.startswith("end"))
    if is_blank(value) and schema.get("type") == "string" and not (schema.keys() & {"format"} or _may_clear(schema)):
        raise InvalidRequest(f"{name} must hold at least one visible character.", "Nothing was sent.")
    return value


def _id(value: str, pattern: str) -> str:
    """An id as the service writes it, where nothing else can be meant: white space and capitals are in none."""
    begins = _PREFIX.match(pattern)
    prefix = begins[1] if begins else ""
    written = value.strip().lower()
    return written if written.startswith(prefix) and is_uuid(written[len(prefix) :]) else value


def _may_clear(schema: Schema) -> bool:
    return EMPTY_CLEARS in schema.get("description", "")


def _day(written: str, *, is_end: bool) -> str:
    """The first or the last moment of a UTC day."""
    try:
        day = date.fromisoformat(written)
    except ValueError:
        return written
    return iso_utc(datetime.combine(day, time.max if is_end else time.min, UTC))


def _wants_json(schema: Schema) -> bool:
    kinds = {schema.get("type"), *(arm.get("type") for arm in cast("list[Schema]", schema.get("anyOf", ())))}
    return bool(kinds & {"object", "array"}) and "string" not in kinds


def _decoded(name: str, value: str, schema: Schema) -> Any:
    if sum(value.count(mark) for mark in ",[{") > _MOST_VALUES:
        raise InvalidRequest(
            f"{name} is a text that holds more than {_MOST_VALUES} values; nothing was sent.",
            "Send less at once, and as JSON rather than as a text.",
        )
    try:
        decoded = json.loads(value)
    except (ValueError, RecursionError):
        decoded = value
    if isinstance(decoded, dict | list):
        return cast("Any", decoded)
    is_free = schema.get("type") == "object" and "properties" not in schema
    return {"note": value} if is_free and not value.lstrip().startswith(("{", "[")) else value


def _is_encodable(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        return False
    return True
