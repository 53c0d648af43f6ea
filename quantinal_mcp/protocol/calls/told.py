"""What a model is told of a call that cannot be taken: what is wrong, with which argument, and what mends it.

In plain words: whose library checks a call is nobody's business. Decisions without I/O.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from quantinal_mcp.errors import ApiError, Conflict, InvalidRequest, NotFound, QuantinalError, Rejected
from quantinal_mcp.models.common import iso_minute
from quantinal_mcp.protocol.calls.call import Call
from quantinal_mcp.protocol.calls.unknown import unknown_argument
from quantinal_mcp.protocol.calls.words import KINDS, is_uuid, kind_given, kind_wanted, lists, may_be_name, quoted
from quantinal_mcp.protocol.schemas import Schema

_MOST_PROBLEMS = 8
_MEND = "Nothing was sent; correct this and call again."
_TIME = r"(?:start|end)_(?:date|time)\b"
_OF_TIME = re.compile(rf"(?:^|; |^Give )(?:\w+\.)?{_TIME}(?! is both)")
_MAY_BE_OF_TIME = re.compile(rf"\b{_TIME}")
"""In our words an error is about a time where that is what it begins with; in the service's wherever one is named."""


def names_to_look_up(error: ValidationError) -> frozenset[str]:
    """Return the kinds of id in whose place a name seems to have been given."""
    wanted = {
        kind
        for problem in error.errors(include_url=False, include_context=False)
        if (kind := kind_wanted(_argument(problem))) in {"space", "tracker", "source"} and may_be_name(problem["input"])
    }
    return frozenset(kind for kind in wanted if kind)


def invalid(error: ValidationError, call: Call) -> InvalidRequest:
    """Say what is wrong with the arguments of a call."""
    problems = error.errors(include_url=False)
    listed = dict.fromkeys(_problem(problem, call) for problem in problems[:_MOST_PROBLEMS])
    more = f"; and {len(problems) - _MOST_PROBLEMS} more" if len(problems) > _MOST_PROBLEMS else ""
    return InvalidRequest("; ".join(listed) + more + ".", _MEND)


def text(error: QuantinalError, tool: str, now: datetime) -> str:
    """Return an error as a model reads it: in this server's words, with what did not happen where the service refused a
    change, and with the time where it is about time."""
    said = in_our_words(str(error))
    if isinstance(error, Conflict | NotFound | Rejected) and error.is_refusal and "othing was" not in said:
        said += _not_done(error, tool)
    of_time = _MAY_BE_OF_TIME if isinstance(error, ApiError) else _OF_TIME
    about_time = error.code == "invalid_request" and of_time.search(error.message)
    return f"{said} It is now {iso_minute(now)}." if about_time else said


def _not_done(error: ApiError, tool: str) -> str:
    verb = tool.partition("_")[0]
    if verb == "trigger" and not isinstance(error, NotFound):
        return ""  # its run may have been started, and reading it be refused
    done = {"create": "created", "update": "changed", "delete": "deleted", "upload": "changed", "trigger": "started"}
    return f" Nothing was {done[verb]}." if verb in done else ""


_OUR_WORDS: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(r"must set (schedule|shared_vault_tracker_id) to null(?: first)?"),
        r'must be changed first: update_tracker(tracker_id=…, clear_fields=["\1"])',
    ),
    (
        re.compile(r"\bset (schedule|shared_vault_tracker_id) to null"),
        r'call update_tracker with clear_fields=["\1"]',
    ),
    (re.compile(r"\bField required"), "is missing"),
    (re.compile(r"\bValue error, "), ""),
    (re.compile(r"\bInput should be a valid "), "should be a "),
    (re.compile(r"\bInput should "), "should "),
    (re.compile(r"\b(?:String|List) should "), "should "),
    (re.compile(r"\bExtra inputs are not permitted"), "is unknown"),
)


def in_our_words(message: str) -> str:
    """Return what the service says without what contradicts this server, or speaks of libraries."""
    for pattern, words in _OUR_WORDS:
        message = pattern.sub(words, message)
    return message


def _problem(problem: ErrorDetails, call: Call) -> str:
    schema, where = _place(problem["loc"], call.properties)
    argument, kind = _argument(problem), problem["type"]
    if kind == "extra_forbidden":
        inside = ".".join(str(part) for part in problem["loc"][:-1])
        return unknown_argument(argument, inside, call.properties)
    if kind == "missing":
        return _missing(where, argument, schema, call)
    if schema.get("type") == "string" and (wanted := kind_wanted(argument)):
        return _id(where, wanted, problem["input"], call)
    if schema.get("format") == "date-time":
        return _time(where, problem["input"], call.now, is_filter=where == argument)
    return f"{where} must be {described(schema, problem)}"


def _argument(problem: ErrorDetails) -> str:
    names = [part for part in problem["loc"] if isinstance(part, str)]
    return names[-1] if names else ""


def _place(loc: Sequence[str | int], properties: Schema) -> tuple[Schema, str]:
    """Return the schema that a value breaks, and the value's place as a caller would write it."""
    schema: Schema = {"type": "object", "properties": properties}
    where = ""
    for part in loc:
        if isinstance(part, int):
            schema, where = cast("Schema", schema.get("items", {})), f"{where}[{part}]"
        elif part in schema.get("properties", {}):
            schema, where = cast("Schema", schema["properties"][part]), f"{where}.{part}".lstrip(".")
        else:  # the name of an arm of a union, or of what is missing
            where = where if "anyOf" in schema else f"{where}.{part}".lstrip(".")
            break
    return schema, where


def described(schema: Schema, problem: ErrorDetails | None = None) -> str:
    """Say what a schema takes, in a few words; nothing where it takes anything."""
    if words := cast("list[str]", schema.get("enum", [])):
        return f"one of {', '.join(words)}"
    if arms := cast("list[Schema]", schema.get("anyOf", [])):
        return " or ".join(described(arm) for arm in arms)
    limits = (problem or {}).get("ctx") or {}  # those that the schema does not say
    match schema.get("type"):
        case "integer" | "number" as kind:
            most = schema.get("maximum", limits.get("le"))
            return f"a {'whole ' * (kind == 'integer')}number{_range('from', schema.get('minimum'), most)}"
        case "boolean":
            return "true or false"
        case "array":
            items = described(cast("Schema", schema.get("items", {})))
            size = _range("of", schema.get("minItems"), schema.get("maxItems"))
            return f"a list{size}{items and f', each {items}'}"
        case "object":
            needed = cast("list[str]", schema.get("required", []))
            optional = ", ".join(name for name in cast("Schema", schema.get("properties", {})) if name not in needed)
            parts = ", ".join(needed), f"optionally {optional}" if needed and optional else optional
            fields = ", ".join(filter(None, parts))
            return f"an object with {fields}" if fields else "an object"
        case "string" if prefix := re.match(r"\^([a-z]+_)", schema.get("pattern", "")):
            return f"an id that begins with {prefix[1]}"
        case "string" if most := schema.get("maxLength", limits.get("max_length")):
            given = problem["input"] if problem else None
            size = _range("of", schema.get("minLength"), most)
            return f"a text{size} characters{f', not {len(given)}' if isinstance(given, str) and given else ''}"
        case "string":
            return "a text that is not empty"
        case _:
            return ""


def _range(between: str, low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return "".join(f" of at {word} {end}" for word, end in (("least", low), ("most", high)) if end is not None)
    return f" {between} {low} to {high}"


def _missing(where: str, argument: str, schema: Schema, call: Call) -> str:
    given: Any = call.given
    for name in where.split("."):
        given = cast("Mapping[str, Any]", given).get(name) if isinstance(given, dict) else None
    said = f"{where} is {'empty' if given == '' else 'missing'}"
    if wanted := kind_wanted(argument):
        return f"{said}: {lists(wanted, call.given)} gives it"
    if given == "":
        return f"{said}; it takes {described(schema)}"
    return f"{said}: {described(schema)}" if schema.get("type") == "object" else said


def _id(where: str, wanted: str, value: object, call: Call) -> str:
    kind, listed_by = KINDS[wanted], lists(wanted, call.given)
    begins = f", which begins with {kind.prefix}" if kind.prefix else ""
    if not isinstance(value, str):
        return f"{where} must be {kind.owner} id, as text{begins}: {listed_by} gives it"
    if what := kind_given(value):
        if what == f"{kind.owner} id":
            return f"{where} is no whole id, in lower case as lists give it: {listed_by} gives it"
        return f"{where} is {what}; it takes {kind.owner} id{begins}: {listed_by} gives it"
    if is_uuid(value):
        return (
            f"{where} is a UUID alone, as sources have; it takes {kind.owner} id{begins}, perhaps "
            f"{kind.prefix}{value.strip()}: {listed_by} gives it"
        )
    if may_be_name(value):
        return f"{where} takes {kind.owner} id{begins}; {_by_name(wanted, value, call)}"
    return f"{where} must be {kind.owner} id{begins}: {listed_by} gives it"


def _by_name(wanted: str, value: str, call: Call) -> str:
    name = value.strip()
    if called := call.called(wanted, name):
        return f"{quoted(name)} is the name of {called}"
    if wanted == "run":  # which have no names
        return f"{lists(wanted, call.given)} lists them"
    search = f"(name_contains={quoted(name)})" if wanted == "tracker" else ""
    return f"{lists(wanted, call.given)}{search} finds it by its name"


def _time(where: str, value: object, now: datetime, *, is_filter: bool) -> str:
    example = iso_minute(now).replace("Z", ":00Z")
    forms = f"like {example}" + (f", or a plain date, like {now:%Y-%m-%d}" if is_filter else "")
    if isinstance(value, str):
        try:
            naive = datetime.fromisoformat(value.strip()).tzinfo is None
        except ValueError:
            naive = False
        if naive and "T" in value:
            return f"{where} lacks its offset: append Z for UTC, or one like +02:00"
    return f"{where} must be an ISO 8601 time with an offset, {forms}"
