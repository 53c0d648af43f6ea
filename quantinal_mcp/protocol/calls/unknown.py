"""What a model is told of names that there are not: of arguments, and of tools. Decisions without I/O."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Iterable, Mapping
from typing import Any, cast

from quantinal_mcp.errors import InvalidRequest
from quantinal_mcp.models.text import clean_text, on_one_line
from quantinal_mcp.protocol.calls.words import ALSO_CALLED, THERE_IS_NOT, VERBS, of_tracker, quoted
from quantinal_mcp.protocol.schemas import Schema

_MOST_NAMES = 5
_LONGEST_NAME = 100
"""What is compared grows with what was given, and a caller may give megabytes."""


def unknown_arguments(
    tool: str, unknown: Iterable[str], given: Mapping[str, Any], properties: Schema
) -> InvalidRequest:
    """Say that a tool has no such arguments, which ones may have been meant, and which there are."""
    said = [unknown_argument(name, "", properties, given) for name in list(unknown)[:_MOST_NAMES]]
    takes = f"{tool} takes: {', '.join(properties) or 'no arguments'}."
    if tool == "trigger_run" and any("mode" in name for name in unknown):
        takes = f"{_just_this_once(given)} {takes}"
    return InvalidRequest(f"Unknown argument {', '.join(said)[:400]}; nothing was sent.", takes)


def unknown_argument(name: str, inside: str, properties: Schema, given: Container[str] = ()) -> str:
    """Say of an argument that is not known where it belongs, or what it is called: not what is given already."""
    from difflib import get_close_matches  # noqa: PLC0415 - only a mistake needs it

    said = f"'{on_one_line(clean_text(name))}'" + (f" in {inside}" if inside else "")
    bare, places = name[:_LONGEST_NAME].lower().replace("-", "_"), _places(properties)
    if bare in THERE_IS_NOT:
        return f"{said} (there is none: {THERE_IS_NOT[bare]})"
    if elsewhere := [place for place in places if _last(place) == bare]:
        return f"{said} ({_goes(elsewhere[0])})"
    also = [
        place
        for wanted in ALSO_CALLED.get(bare, ())
        for place in places
        if _last(place) == wanted and place not in given
    ]
    if beside := [place for place in also if place.rpartition(".")[0] == inside] or also[:1]:
        return f"{said} (it is called {' or '.join(beside[:2])})"
    if near := get_close_matches(bare, [_last(place) for place in places], 1, 0.6):
        return f"{said} (did you mean {next(place for place in places if _last(place) == near[0])}?)"
    fields = ", ".join(cast("Schema", properties.get(inside, {})).get("properties", {}))
    return f"{said} (it has: {fields})" if fields else said


def _places(properties: Schema) -> list[str]:
    """Every argument of a tool and every field of one, those at the top first."""
    nested = [
        f"{name}.{inner}"
        for name, schema in properties.items()
        for inner in cast("Schema", cast("Schema", schema).get("properties", {}))
    ]
    return [*properties, *nested]


def _last(place: str) -> str:
    return place.rpartition(".")[2]


def _goes(place: str) -> str:
    outer, _, name = place.rpartition(".")
    return f'it goes inside {outer}: {outer}={{"{name}": …}}' if outer else "it goes beside, not inside"


def _just_this_once(given: Mapping[str, Any]) -> str:
    mode = next((str(value) for name, value in given.items() if "mode" in name), "…")
    where = of_tracker(given)
    return (
        f"The mode is the tracker's. Just this once: update_tracker({where}, "
        f'agent_config={{"reasoning_mode": {quoted(mode)}}}), trigger_run({where}), and update_tracker back to the '
        "mode it had."
    )


def unknown_tool(name: str, offered: Iterable[str], *, is_withheld: bool = False) -> InvalidRequest:
    """Say that there is no such tool here, and why if it is the operator's wish, or which have the nearest names."""
    if is_withheld:
        why = "This server's settings leave it out (QUANTINAL_READ_ONLY, QUANTINAL_TOOLSETS)."
        return InvalidRequest(f"Unknown tool {quoted(name)}; nothing was sent.", why)
    from difflib import SequenceMatcher  # noqa: PLC0415 - only a mistake needs it

    verb, *rest = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name[:_LONGEST_NAME]).lower().split("_")
    meant = "_".join([VERBS.get(verb, verb), *rest])
    known = {tool: _stems(tool) for tool in offered}
    shared_by = Counter(stem for stems in known.values() for stem in stems)

    def nearness(tool: str) -> float:
        # A word that few tools have says more than one that many have.
        common = sum(1 / shared_by[stem] for stem in known[tool] & _stems(meant))
        return SequenceMatcher(None, meant, tool).ratio() + common

    nearest = ", ".join(sorted(known, key=nearness, reverse=True)[:3])
    return InvalidRequest(f"Unknown tool {quoted(name)}; nothing was sent.", f"The nearest: {nearest}.")


def _stems(name: str) -> frozenset[str]:
    return frozenset(word.rstrip("s") for word in name.split("_"))
