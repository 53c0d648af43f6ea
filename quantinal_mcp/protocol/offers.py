"""A tool as this server offers it: what a call may carry, and what a model reads afterwards."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError, UnexpectedToolError
from mcp.server.mcpserver.tools import Tool
from mcp.server.mcpserver.utilities.func_metadata import FuncMetadata
from mcp_types import CallToolResult, InputRequiredResult, TextContent, ToolAnnotations
from pydantic import ValidationError

from quantinal_mcp.errors import InvalidRequest, NeedsConsent, QuantinalError
from quantinal_mcp.models.text import readable
from quantinal_mcp.protocol.caller import app_of, token_of
from quantinal_mcp.protocol.schemas import Schema, flatten, without_descriptions
from quantinal_mcp.settings import Toolset

READS = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=True)
CREATES = ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=True)
OVERWRITES = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=True)
DELETES = OVERWRITES


@dataclass(frozen=True, slots=True)
class Offer:
    """A tool on offer: its function (name and docstring are the model's), its title, and what it does to the world."""

    function: Callable[..., Awaitable[Any]]
    title: str
    toolset: Toolset
    hints: ToolAnnotations

    @property
    def reads(self) -> bool:
        """Whether it exists where only reading is allowed."""
        return self.hints.read_only_hint is True


def build(offer: Offer) -> Tool:
    """Return the tool for the SDK: flat schemas, our rules for arguments, results and errors."""
    tool = QuantinalTool.from_function(offer.function, title=offer.title, annotations=offer.hints)
    parameters = flatten(tool.parameters)
    parameters["additionalProperties"] = False
    output = without_descriptions(flatten(tool.fn_metadata.output_schema or {}))
    tool.parameters = parameters
    tool.description = " ".join(tool.description.split())
    tool.fn_metadata = CallRules(
        arg_model=tool.fn_metadata.arg_model,
        output_model=tool.fn_metadata.output_model,
        output_schema=output,
        tool_name=tool.name,
        properties=parameters.get("properties", {}),
    )
    return tool


class CallRules(FuncMetadata):
    """How arguments come in."""

    tool_name: str
    properties: Schema

    def pre_parse_json(self, data: dict[str, Any]) -> dict[str, Any]:
        """Refuse unknown arguments, drop nulls, and decode JSON only where an object or a list is wanted.

        Raises:
            InvalidRequest: An argument that this tool does not have, or a value that JSON cannot carry.
        """
        unknown = sorted(str(name) for name in data.keys() - self.properties.keys())
        if unknown:
            raise InvalidRequest(
                f"Unknown argument {', '.join(unknown)[:200]!r}; nothing was sent.",
                f"{self.tool_name} takes: {', '.join(self.properties) or 'no arguments'}.",
            )
        given = {name: self._given(name, value) for name, value in data.items() if value is not None}
        if not _is_encodable(given):
            raise InvalidRequest(
                "The arguments hold a number or text that JSON cannot carry.",
                "Send finite numbers and valid Unicode; nothing was sent.",
            )
        return given

    def _given(self, name: str, value: Any) -> Any:
        schema = cast("Schema", self.properties[name])
        if isinstance(value, str) and _wants_json(schema):
            try:
                value = json.loads(value)
            except (ValueError, RecursionError):
                return value
        if "properties" in schema and isinstance(value, dict):
            return {key: item for key, item in cast("Schema", value).items() if item is not None}
        return cast("Any", value)


class QuantinalTool(Tool):
    """A tool whose every answer is rendered for the one who called, every failure as one line with a stable code."""

    async def run(
        self,
        arguments: dict[str, Any],
        context: Context[Any, Any],
        convert_result: bool = False,
    ) -> Any:
        """Run the tool; what was anticipated comes back as an error result, a crash as the SDK's bare one."""
        token = token_of(context.request_context.request, app_of(context))
        try:
            result = await super().run(arguments, context)
        except ToolError as error:
            cause = error.__cause__
            if isinstance(cause, QuantinalError):
                return failure(cause, token)
            if isinstance(cause, ValidationError):
                return failure(_invalid(cause), token)
            if isinstance(error, UnexpectedToolError):
                raise
            # Only resolvers raise it deliberately: an answer to a question that cannot be read.
            unread = NeedsConsent(
                "The answer to the question could not be read.", "Nothing was sent; ask the user again."
            )
            return failure(unread, token)
        is_final = isinstance(result, CallToolResult | InputRequiredResult)
        return answer(result, token) if convert_result and not is_final else result


def answer(result: Any, token: str | None) -> CallToolResult:
    """Return what a tool returned as its caller reads it: structured content, and the same as compact JSON text."""
    content = rendered(result, token)
    return CallToolResult(
        content=[TextContent(type="text", text=compact(content))], structured_content=content, is_error=False
    )


def failure(error: QuantinalError, token: str | None) -> CallToolResult:
    """Return an error as its caller reads it."""
    return CallToolResult(content=[TextContent(type="text", text=readable(str(error), token))], is_error=True)


def _invalid(error: ValidationError) -> InvalidRequest:
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    listed = [
        f"{'.'.join(str(part) for part in problem['loc']) or 'arguments'}: {problem['msg']}" for problem in problems
    ]
    more = f"; and {len(listed) - 8} more" if len(listed) > 8 else ""
    return InvalidRequest(
        "; ".join(dict.fromkeys(listed[:8])) + more + ".", "Nothing was sent; correct this and call again."
    )


def _wants_json(schema: Schema) -> bool:
    kinds = {schema.get("type"), *(arm.get("type") for arm in cast("list[Schema]", schema.get("anyOf", ())))}
    return bool(kinds & {"object", "array"}) and "string" not in kinds


def _is_encodable(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        return False
    return True


def rendered(value: Any, token: str | None) -> Any:
    """Return an answer for reading: clean, without the caller's token and nulls, with no next step but its own."""
    return without_nulls(_without_inner_steps(readable(value, token)))


def _without_inner_steps(value: Any, *, is_inside: bool = False) -> Any:
    if isinstance(value, dict):
        items = cast("Mapping[str, Any]", value).items()
        return {
            name: _without_inner_steps(item, is_inside=True)
            for name, item in items
            if not (is_inside and name.casefold() == "next_step")
        }
    if isinstance(value, list):
        return [_without_inner_steps(item, is_inside=True) for item in cast("list[Any]", value)]
    return value


def without_nulls(value: Any) -> Any:
    """Return `value` without nulls in its objects, and whole numbers without a fraction."""
    if isinstance(value, dict):
        items = cast("Mapping[str, Any]", value).items()
        return {key: without_nulls(item) for key, item in items if item is not None}
    if isinstance(value, list):
        return [without_nulls(item) for item in cast("list[Any]", value)]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def compact(value: Any) -> str:
    """Return JSON without a space too many."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
