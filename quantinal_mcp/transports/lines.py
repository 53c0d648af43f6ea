"""Lines on stdin that the SDK cannot read: their senders are told, where they wait for an answer."""

from __future__ import annotations

from typing import Any, Final, cast

from anyio.abc import ObjectSendStream
from mcp.shared._stream_protocols import ReadStream, WriteStream
from mcp.shared.message import SessionMessage
from mcp_types import PARSE_ERROR, ErrorData, JSONRPCError
from pydantic import ValidationError

from quantinal_mcp.models.outline import Outline, outline

_MOST_VALUES: Final = 10_000_000
_UNREADABLE: Final = (
    "[invalid_request] This message cannot be read: it is no JSON-RPC, or a text in it holds half a surrogate pair, or "
    "its values lie deeper than two hundred in each other. Nothing was done; correct it and send it again."
)


async def read_on(
    lines: ReadStream[SessionMessage | Exception],
    messages: ObjectSendStream[SessionMessage | Exception],
    answers: WriteStream[SessionMessage],
) -> None:
    """Hand on every message among the lines, and answer every other line that has an id and a method.

    mcp 2.3 reports such a line to nobody, and its client waits for as long as it will
    (https://github.com/modelcontextprotocol/python-sdk/issues/2751); this can go when it answers them.
    """
    async with messages:
        async for item in lines:
            if isinstance(item, SessionMessage):
                await messages.send(item)
            elif (about := _about(item)).method is not None and about.id is not None:
                error = ErrorData(code=PARSE_ERROR, message=_UNREADABLE)
                await answers.send(SessionMessage(JSONRPCError(jsonrpc="2.0", id=about.id, error=error)))


def _about(problem: Exception) -> Outline:
    """Return what a line is about, as far as the problem that the SDK had with it tells."""
    if isinstance(problem, ValidationError):
        for details in problem.errors(include_url=False, include_context=False):
            given: Any = details["input"]
            if details["type"] == "json_invalid":
                return outline(str(given).encode(errors="replace"), _MOST_VALUES)
            if isinstance(given, dict):
                return _of_message(cast("dict[str, Any]", given))
    return Outline()


def _of_message(message: dict[str, Any]) -> Outline:
    number: Any = message.get("id")
    is_id = isinstance(number, int | str) and not isinstance(number, bool)
    return Outline(number if is_id else None, str(message["method"]) if "method" in message else None)
