"""JSON schemas as clients can take them: flat, without nulls, titles or anything else a model pays for in vain."""

from __future__ import annotations

from typing import Any, cast

Schema = dict[str, Any]

_NULL = {"type": "null"}


def flatten(schema: Schema) -> Schema:
    """Return `schema` with every `$ref` resolved in place.

    Null arms and null defaults go, since null counts as not given and nulls are left out of results; so do titles and
    `additionalProperties: true`, which say nothing.
    """
    definitions = cast("Schema", schema.get("$defs", {}))
    return cast("Schema", _flat({key: value for key, value in schema.items() if key != "$defs"}, definitions))


def _flat(node: Any, definitions: Schema) -> Any:
    if isinstance(node, list):
        return [_flat(item, definitions) for item in cast("list[Any]", node)]
    if not isinstance(node, dict):
        return int(node) if isinstance(node, float) and node.is_integer() else node
    schema = dict(cast("Schema", node))
    if (ref := schema.pop("$ref", None)) is not None:
        target = cast("Schema", definitions[str(ref).removeprefix("#/$defs/")])
        # What a class says of itself is for its readers; for a model the argument that holds one is described.
        return _flat({**{key: value for key, value in target.items() if key != "description"}, **schema}, definitions)
    arms = [arm for arm in cast("list[Any]", schema.pop("anyOf", ())) if arm != _NULL]
    if len(arms) == 1:
        return _flat({**arms[0], **schema}, definitions)
    if arms:
        schema["anyOf"] = arms
    if schema.get("default", ...) is None:
        del schema["default"]
    if schema.get("additionalProperties") is True:
        del schema["additionalProperties"]
    properties = cast("Schema | None", schema.pop("properties", None))
    # The type first: it reads better, and models pay a percent less for it.
    keys = sorted(schema.keys() - {"title"}, key=lambda key: (key != "type", list(schema).index(key)))
    flat = {key: _flat(schema[key], definitions) for key in keys}
    if properties is not None:
        flat["properties"] = {name: _flat(item, definitions) for name, item in properties.items()}
    return flat


_ECHOES = frozenset({"agent_config", "config_snapshot", "notification_config", "schedule"})
"""What an answer repeats of what a tracker was given; the arguments of `create_tracker` describe it."""


def without_echoes(schema: Schema) -> Schema:
    """Return an output schema in which what the caller itself once sent is an object and no more."""
    properties = cast("Schema", schema.get("properties", {}))
    brief = {name: {"type": "object"} if name in _ECHOES else item for name, item in properties.items()}
    return {**schema, "properties": brief}


def without_descriptions(schema: Any) -> Any:
    """Return `schema` without descriptions: an output speaks through its names."""
    if isinstance(schema, list):
        return [without_descriptions(item) for item in cast("list[Any]", schema)]
    if not isinstance(schema, dict):
        return schema
    node = cast("Schema", schema)
    return {
        key: {name: without_descriptions(item) for name, item in cast("Schema", value).items()}
        if key == "properties"
        else without_descriptions(value)
        for key, value in node.items()
        if key != "description"
    }
