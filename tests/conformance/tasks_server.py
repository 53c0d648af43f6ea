"""A server for the conformance suite's scenarios of tasks: the extension as it is served, around fixture tools.

The suite calls tools of these names, and expects tasks that ask, fail and can be cancelled, which a run does not.

    python tests/conformance/tasks_server.py PORT
"""

from __future__ import annotations

import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import anyio
from mcp.server import MCPServer
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.mcpserver import require_client_extension
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    ElicitRequest,
    ElicitRequestFormParams,
    InputRequiredResult,
    TextContent,
)

from quantinal_mcp.extensions.tasks import IDENTIFIER, Status, Task, Tasks, is_declared, unknown

_TTL_SECONDS = 600.0
_POLL_SECONDS = 0.2
_NEEDS_TASKS = {"failing_job", "test_tool_with_task"}


@dataclass
class Job:
    """What a task stands for: it works until `ends` (event loop's clock), once all it asked is answered."""

    ends: float
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    asks: dict[str, Any] = field(default_factory=dict[str, Any])
    is_cancelled: bool = False
    created: datetime = field(default_factory=lambda: datetime.now(UTC))

    def status(self) -> Status:
        if self.is_cancelled:
            return "cancelled"
        if self.asks:
            return "input_required"
        if anyio.current_time() < self.ends:
            return "working"
        return "completed" if self.error is None else "failed"

    def task(self, task_id: str) -> Task:
        status = self.status()
        more: Mapping[str, Mapping[str, Any]] = {
            "completed": {"result": self.result},
            "failed": {"error": self.error},
            "input_required": {"inputRequests": self.asks},
        }
        now = datetime.now(UTC)
        return Task(task_id, status, status, self.created, now, _TTL_SECONDS, _POLL_SECONDS, more.get(status, {}))


class FixtureTasks(Tasks):
    """Jobs that this process holds."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}

    async def intercept_tool_call(
        self, params: CallToolRequestParams, ctx: ServerRequestContext[Any, Any], call_next: CallNext
    ) -> HandlerResult:
        if params.name in _NEEDS_TASKS and not is_declared(ctx):
            require_client_extension(ctx, IDENTIFIER)
        return await super().intercept_tool_call(params, ctx, call_next)

    async def call(
        self, params: CallToolRequestParams, ctx: ServerRequestContext[Any, Any], call_next: CallNext
    ) -> HandlerResult | Task:
        given = params.arguments or {}
        now = anyio.current_time()
        match params.name:
            case "slow_compute":
                job = Job(now + given["seconds"], answer("computed"))
            case "failing_job":
                job = Job(now + 1, answer("it failed", is_error=True))
            case "protocol_error_job":
                job = Job(now + 1, error={"code": -32603, "message": "Internal error"})
            case "confirm_delete":
                job = Job(now, answer("deleted"), asks={"confirm": question("confirm", "boolean")})
            case "multi_input":
                asks = {name: question(name, "string") for name in ("first", "second")}
                job = Job(now, answer("both answered"), asks=asks)
            case "test_tool_with_task":
                told: Any = (params.input_responses or {}).get("user_name")
                if told is None:
                    return InputRequiredResult.model_validate(
                        {"inputRequests": {"user_name": question("name", "string")}}
                    )
                job = Job(now + 1, answer(f"Hello, {told.content['name']}!"))
            case _:
                return await call_next(ctx)
        task_id = secrets.token_urlsafe(16)
        self._jobs[task_id] = job
        return job.task(task_id)

    async def get(self, ctx: ServerRequestContext[Any, Any], task_id: str) -> Task:
        return self._job(task_id).task(task_id)

    async def update(self, ctx: ServerRequestContext[Any, Any], task_id: str, responses: Mapping[str, Any]) -> None:
        job = self._job(task_id)
        job.asks = {name: ask for name, ask in job.asks.items() if name not in responses}

    async def cancel(self, ctx: ServerRequestContext[Any, Any], task_id: str) -> None:
        job = self._job(task_id)
        job.is_cancelled = job.status() in {"working", "input_required"}

    def _job(self, task_id: str) -> Job:
        if task_id not in self._jobs:
            raise unknown()
        return self._jobs[task_id]


def answer(text: str, *, is_error: bool = False) -> dict[str, Any]:
    result = CallToolResult(content=[TextContent(type="text", text=text)], is_error=is_error)
    return result.model_dump(mode="json", by_alias=True, exclude_none=True)


def question(name: str, kind: str) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object", "properties": {name: {"type": kind}}, "required": [name]}
    asked = ElicitRequest(params=ElicitRequestFormParams(message=f"What is {name}?", requested_schema=schema))
    return asked.model_dump(mode="json", by_alias=True, exclude_none=True)


def greet(name: str) -> str:
    return f"Hello, {name}!"


async def slow_compute(seconds: float, label: str = "") -> str:
    await anyio.sleep(seconds)
    return f"computed {label}"


def failing_job() -> str:
    return "a task, always"


def protocol_error_job() -> str:
    return "a task, where that is possible"


def confirm_delete(filename: str) -> str:
    return f"{filename} is kept: nobody could be asked"


def multi_input() -> str:
    return "nobody could be asked"


def test_tool_with_task() -> str:
    return "a task, always"


def main(port: int) -> None:
    server = MCPServer("conformance-tasks", extensions=[FixtureTasks()])
    for tool in (
        greet,
        slow_compute,
        failing_job,
        protocol_error_job,
        confirm_delete,
        multi_input,
        test_tool_with_task,
    ):
        server.add_tool(tool)
    server.run("streamable-http", host="127.0.0.1", port=port)


if __name__ == "__main__":
    main(int(sys.argv[1]))
