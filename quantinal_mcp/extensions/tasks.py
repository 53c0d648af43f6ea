"""The extension `io.modelcontextprotocol/tasks`: calls that are answered with a task, which the client polls.

What a task stands for is a subclass's. Here is what the wire asks of every server: SEP-2663, revision 2026-07-28.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, cast

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.extension import Extension, MethodBinding
from mcp.server.mcpserver import require_client_extension
from mcp.shared.exceptions import MCPError
from mcp.shared.inbound import MCP_NAME_HEADER, decode_header_value
from mcp_types import HEADER_MISMATCH, INVALID_PARAMS, CallToolRequestParams, RequestParams
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import Field

IDENTIFIER: Final = "io.modelcontextprotocol/tasks"

_VERSIONS: Final = frozenset(MODERN_PROTOCOL_VERSIONS)

Status = Literal["working", "input_required", "completed", "failed", "cancelled"]


class TaskParams(RequestParams):
    """Parameters of `tasks/get` and `tasks/cancel`."""

    task_id: str


class UpdateParams(TaskParams):
    """Parameters of `tasks/update`."""

    input_responses: dict[str, Any] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Task:
    """A task as a client sees it; `more` holds what its status adds: `result`, `error` or `inputRequests`."""

    task_id: str
    status: Status
    message: str
    created_at: datetime
    updated_at: datetime
    ttl_seconds: float
    poll_seconds: float
    more: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def wire(self, result_type: Literal["task", "complete"]) -> dict[str, Any]:
        """Return the flat result; one that creates a task says nothing of what becomes of it."""
        return {
            "resultType": result_type,
            "taskId": self.task_id,
            "status": self.status,
            "statusMessage": self.message,
            "createdAt": self.created_at.isoformat(),
            "lastUpdatedAt": self.updated_at.isoformat(),
            "ttlMs": round(self.ttl_seconds * 1000),
            "pollIntervalMs": round(self.poll_seconds * 1000),
            **(self.more if result_type == "complete" else {}),
        }


class Tasks(Extension, ABC):
    """Serves tasks to clients that declare the extension; all others are served as if it were not there."""

    identifier = IDENTIFIER

    @abstractmethod
    async def call(
        self, params: CallToolRequestParams, ctx: ServerRequestContext[Any, Any], call_next: CallNext
    ) -> HandlerResult | Task:
        """Answer a tool call of a client that can follow a task."""

    @abstractmethod
    async def get(self, ctx: ServerRequestContext[Any, Any], task_id: str) -> Task:
        """Return a task as it is now; raises `unknown` for one that the caller has not."""

    @abstractmethod
    async def update(self, ctx: ServerRequestContext[Any, Any], task_id: str, responses: Mapping[str, Any]) -> None:
        """Take answers to what the task asked; raises as `get` does."""

    @abstractmethod
    async def cancel(self, ctx: ServerRequestContext[Any, Any], task_id: str) -> None:
        """Hear that the client wants it no more; raises as `get` does."""

    def methods(self) -> Sequence[MethodBinding]:
        """The methods of a task."""
        return (
            MethodBinding("tasks/get", TaskParams, self._get, _VERSIONS),
            MethodBinding("tasks/update", UpdateParams, self._update, _VERSIONS),
            MethodBinding("tasks/cancel", TaskParams, self._cancel, _VERSIONS),
        )

    async def intercept_tool_call(
        self, params: CallToolRequestParams, ctx: ServerRequestContext[Any, Any], call_next: CallNext
    ) -> HandlerResult:
        """Let a call be answered with a task, where the request says that its client can follow one."""
        if not is_declared(ctx):
            return await call_next(ctx)
        answer = await self.call(params, ctx, call_next)
        return answer.wire("task") if isinstance(answer, Task) else answer

    async def guard(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Middleware: refuse a subscription to tasks by a client that cannot follow any.

        Tasks are not pushed to others either: the SDK's streams carry its own events only. They are told so by the
        acknowledgement, which names what is subscribed to, and poll.
        """
        if ctx.method == "subscriptions/listen" and ctx.protocol_version in MODERN_PROTOCOL_VERSIONS:
            wanted = (ctx.params or {}).get("notifications")
            if isinstance(wanted, Mapping) and "taskIds" in cast("Mapping[str, Any]", wanted):
                require_client_extension(ctx, IDENTIFIER)
        return await call_next(ctx)

    async def _get(self, ctx: ServerRequestContext[Any, Any], params: TaskParams) -> HandlerResult:
        _check(ctx, params)
        return (await self.get(ctx, params.task_id)).wire("complete")

    async def _update(self, ctx: ServerRequestContext[Any, Any], params: UpdateParams) -> HandlerResult:
        _check(ctx, params)
        await self.update(ctx, params.task_id, params.input_responses)
        return {"resultType": "complete"}

    async def _cancel(self, ctx: ServerRequestContext[Any, Any], params: TaskParams) -> HandlerResult:
        _check(ctx, params)
        await self.cancel(ctx, params.task_id)
        return {"resultType": "complete"}


def is_declared(ctx: ServerRequestContext[Any, Any]) -> bool:
    """Whether this request says that its client can follow tasks; what an earlier one said does not count."""
    if ctx.protocol_version not in MODERN_PROTOCOL_VERSIONS:
        return False
    capabilities = ctx.session.client_capabilities
    return IDENTIFIER in ((capabilities.extensions if capabilities else None) or {})


def unknown(why: str = "There is no such task.") -> MCPError:
    """Return the error for a task that the caller has not."""
    return MCPError(INVALID_PARAMS, why)


def _check(ctx: ServerRequestContext[Any, Any], params: TaskParams) -> None:
    """Check what the SDK checks of its own methods only: the header that routes a request, and the declaration.

    A missing header is taken: real clients send none.

    Raises:
        MCPError: -32020 or -32021.
    """
    name = ctx.request.headers.get(MCP_NAME_HEADER) if ctx.request is not None else None
    if name is not None and decode_header_value(name) != params.task_id:
        raise MCPError(
            HEADER_MISMATCH, f"{MCP_NAME_HEADER} header does not match the request body's 'taskId' parameter"
        )
    require_client_extension(ctx, IDENTIFIER)
