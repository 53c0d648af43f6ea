"""A tool as this server offers it: what a call may carry, and what a model reads afterwards."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, cast

import anyio
import anyio.to_thread
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError, UnexpectedToolError
from mcp.server.mcpserver.tools import Tool
from mcp.server.mcpserver.utilities.func_metadata import FuncMetadata
from mcp_types import CallToolResult, InputRequiredResult, TextContent, ToolAnnotations
from pydantic import ValidationError
from pydantic_core import to_json

from quantinal_mcp.accounts.names import Named
from quantinal_mcp.errors import NeedsConsent, NotFound, NoToken, QuantinalError
from quantinal_mcp.models.text import is_readable, readable
from quantinal_mcp.protocol import console
from quantinal_mcp.protocol.caller import App, AppContext, account_of, app_of, token_of
from quantinal_mcp.protocol.calls import missing, told
from quantinal_mcp.protocol.calls.call import Call
from quantinal_mcp.protocol.calls.taken import meant, take
from quantinal_mcp.protocol.schemas import Schema, flatten, without_descriptions, without_echoes
from quantinal_mcp.settings import Toolset

_LARGE = 256 * 1024
"""Bytes of JSON."""
_FOR_PROGRAMS = (b"null", b".0,", b".0}", b".0]")
"""How JSON shows what a model is spared, or may: a text may hold it too."""

READS = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=True)
CREATES = ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=True)
OVERWRITES = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=True)
DELETES = OVERWRITES

_LOOK_UP_SECONDS = 5.0
_INNER = frozenset({"next_step"})
"""What stands at the top of an answer and nowhere inside it."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A tool on offer: its function (name and docstring are the model's), its title, and what it does to the world.

    `search` are words that people use of it and its name does not, by which a client that defers tools behind a search
    finds it; a tool without any is one with which conversations start, and is not deferred.
    """

    function: Callable[..., Awaitable[Any]]
    title: str
    toolset: Toolset
    hints: ToolAnnotations
    search: str | None = None

    @property
    def meta(self) -> dict[str, Any]:
        """What Claude Code reads of it. Its search weighs the words of names most, then these, then descriptions."""
        return {"anthropic/alwaysLoad": True} if self.search is None else {"anthropic/searchHint": self.search}

    @property
    def reads(self) -> bool:
        """Whether it exists where only reading is allowed."""
        return self.hints.read_only_hint is True


def build(offer: Offer) -> Tool:
    """Return the tool for the SDK: flat schemas, our rules for arguments, results and errors."""
    tool = QuantinalTool.from_function(offer.function, title=offer.title, annotations=offer.hints)
    parameters = flatten(tool.parameters)
    parameters["additionalProperties"] = False
    output = without_echoes(without_descriptions(flatten(tool.fn_metadata.output_schema or {})))
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
        """Take what can only mean one thing; refuse unknown arguments.

        Raises:
            InvalidRequest: An argument that this tool does not have, or a value that JSON cannot carry.
        """
        return take(self.tool_name, data, self.properties)


class QuantinalTool(Tool):
    """A tool whose every answer is rendered for the one who called, every failure as one line with a stable code."""

    async def run(
        self,
        arguments: dict[str, Any],
        context: Context[Any, Any],
        convert_result: bool = False,
    ) -> Any:
        """Run the tool; what was anticipated comes back as an error result, a crash as the SDK's bare one."""
        token, started = token_of(context.request_context.request, app_of(context)), anyio.current_time()
        if (said := console.read_answer(context)) is not None:
            return failed(said, token)
        try:
            result = await super().run(arguments, context)
        except ToolError as error:
            cause = error.__cause__
            if isinstance(error, UnexpectedToolError) and not isinstance(cause, QuantinalError):
                raise
            given = meant(arguments, self.parameters["properties"])
            if isinstance(cause, ValidationError | NotFound):
                cause = await self._explained(cause, given, context)
            elif not isinstance(cause, QuantinalError):
                # Only resolvers raise it deliberately: an answer to a question that cannot be read.
                cause = NeedsConsent(
                    "The answer to the question could not be read.", "Nothing was sent; ask the user again."
                )
            said = readable(told.text(cause, self.name, app_of(context).accounts.now()), token)
            asked = await console.show(context, cause.code, said, started, given)
            return failed(asked, token) if isinstance(asked, str) else asked
        if isinstance(result, InputRequiredResult) or not convert_result:
            return result
        meta = None
        if isinstance(result, CallToolResult):
            result, meta = result.structured_content, result.meta
        return _result(*await aside(result, token, app_of(context)), readable(meta, token))

    async def _explained(
        self, error: ValidationError | NotFound, given: dict[str, Any], context: AppContext
    ) -> QuantinalError:
        """Say what is wrong; where a name stands in an id's place, whose name that is, if the account tells."""
        properties: Schema = self.parameters["properties"]
        call = Call(self.name, properties, given, app_of(context).accounts.now())
        if isinstance(error, NotFound):
            names = await _names(missing.names_to_look_up(error, call), call, context)
            return missing.not_found(error, replace(call, names=names))
        names = await _names(told.names_to_look_up(error), call, context)
        return told.invalid(error, replace(call, names=names))


async def _names(kinds: frozenset[str], call: Call, context: AppContext) -> Mapping[str, Sequence[Named]]:
    names: dict[str, Sequence[Named]] = {}
    if kinds:
        with anyio.move_on_after(_LOOK_UP_SECONDS), suppress(NoToken):
            known = (await account_of(context)).names
            for kind in kinds:
                match kind:
                    case "space":
                        names[kind] = await known.spaces()
                    case "tracker":
                        names[kind] = await known.trackers()
                    case _:
                        names[kind] = await known.sources(str(call.given.get("tracker_id")))
    return names


def answered(content: Any, meta: dict[str, Any]) -> CallToolResult:
    """Return a tool's answer with a `meta` beside it, which is for programs: no model reads it."""
    return CallToolResult(content=[], structured_content=content, _meta=meta)


async def aside(value: Any, token: str | None, app: App) -> tuple[Any, str]:
    """Return an answer as its caller reads it: content, and the same as compact JSON text; out of the others' way where
    that takes long."""
    written = _written(value)
    if written is None or len(written) > _LARGE:
        return await anyio.to_thread.run_sync(_rendered, value, written, token, limiter=app.rendering)
    return _rendered(value, written, token)


def answer(result: Any, token: str | None, meta: dict[str, Any] | None = None) -> CallToolResult:
    """Return what a tool returned as its caller reads it: structured content, and the same as compact JSON text."""
    return _result(*_rendered(result, _written(result), token), readable(meta, token))


def _result(content: Any, text: str, meta: dict[str, Any] | None) -> CallToolResult:
    said = TextContent(type="text", text=text)
    return CallToolResult(content=[said], structured_content=content, is_error=False, _meta=meta)


def failed(text: str, token: str | None) -> CallToolResult:
    """Return a failure as a model reads it."""
    return CallToolResult(content=[TextContent(type="text", text=readable(text, token))], is_error=True)


def _rendered(value: Any, written: bytes | None, token: str | None) -> tuple[Any, str]:
    """Return an answer for reading, and the same as compact JSON: clean, without the caller's token and nulls, with no
    next step but its own. `written` is what `_written` makes of it."""
    if written is None or not is_readable(written, token):
        value = readable(value, token)
        written = None
    if written is None or _is_for_programs(value, written):
        value = _for_models(value)
        written = to_json(value)
    return value, written.decode()


def _is_for_programs(value: Any, written: bytes) -> bool:
    own = isinstance(value, dict) and "next_step" in value
    return any(part in written for part in _FOR_PROGRAMS) or written.count(b'"next_step"') > own


def _for_models(value: Any) -> Any:
    if not isinstance(value, dict):
        return without_nulls(value, _INNER)
    fields = cast("Mapping[str, Any]", value).items()
    return {name: without_nulls(item, _INNER) for name, item in fields if item is not None}


def without_nulls(value: Any, leave_out: frozenset[str] = frozenset()) -> Any:
    """Return `value` without nulls and fields of these names in its objects, and whole numbers without a fraction."""
    if isinstance(value, dict):
        items = cast("Mapping[str, Any]", value).items()
        return {key: without_nulls(item, leave_out) for key, item in items if item is not None and key not in leave_out}
    if isinstance(value, list):
        return [without_nulls(item, leave_out) for item in cast("list[Any]", value)]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _written(value: Any) -> bytes | None:
    """Return it as compact JSON; None where half of a surrogate pair is in it."""
    try:
        return to_json(value)
    except ValueError:
        return None
