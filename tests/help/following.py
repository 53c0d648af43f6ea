"""A client that follows tasks: it declares the extension, and sends what the extension has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal, cast

import anyio
from mcp import Client
from mcp.client.extension import ClaimContext, ClientExtension, ResultClaim
from mcp.client.session import ClientSession
from mcp_types import CallToolResult, InputRequiredResult, Request, Result
from pydantic import ConfigDict

from help.seeded import Json
from quantinal_mcp.extensions.tasks import IDENTIFIER, TaskParams, UpdateParams

DECLARED: Json = {"extensions": {IDENTIFIER: {}}}


class Answer(Result):
    """Any answer, as it came."""

    model_config = ConfigDict(extra="allow")


class Created(Result):
    """The answer that creates a task."""

    result_type: Literal["task"] = "task"
    task_id: str
    status: str
    status_message: str
    created_at: str
    last_updated_at: str
    ttl_ms: int
    poll_interval_ms: int


class Get(Request[TaskParams, Literal["tasks/get"]]):
    name_param: ClassVar[str | None] = "taskId"
    method: Literal["tasks/get"] = "tasks/get"
    params: TaskParams


class Cancel(Request[TaskParams, Literal["tasks/cancel"]]):
    name_param: ClassVar[str | None] = "taskId"
    method: Literal["tasks/cancel"] = "tasks/cancel"
    params: TaskParams


class Update(Request[UpdateParams, Literal["tasks/update"]]):
    name_param: ClassVar[str | None] = "taskId"
    method: Literal["tasks/update"] = "tasks/update"
    params: UpdateParams


class Following(ClientExtension):
    """Drives each task to its end as it is told to, and remembers what it was told on the way."""

    identifier = IDENTIFIER

    def __init__(self) -> None:
        self.told: list[Json] = []

    def claims(self) -> Sequence[ResultClaim[Any]]:
        return [ResultClaim(result_type="task", model=Created, resolve=self._resolve)]

    async def _resolve(self, created: Created, context: ClaimContext) -> CallToolResult:
        self.told.append(created.model_dump(by_alias=True))
        return CallToolResult.model_validate((await self.follow(context.session, created.task_id))["result"])

    async def follow(self, session: ClientSession, task_id: str) -> Json:
        """Poll until the end; the last answer."""
        while True:
            self.told.append(task := await get(session, task_id))
            if task["status"] != "working":
                return task
            await anyio.sleep(task["pollIntervalMs"] / 1000)


DECLARING = (Following(),)
"""What declares tasks, where nobody looks at what it was told."""


def lasting(seconds: float, **how: Any) -> Json:
    """Steers how long a run takes, and how it ends."""
    return {"sandbox": {"seconds": seconds, "fail": False, **how}}


def told(task: Json) -> Json:
    """The answer that a completed task carries."""
    assert task["status"] == "completed"
    return task["result"]


async def begin(client: Client, tool: str, /, **arguments: Any) -> Created | CallToolResult | InputRequiredResult:
    """Call a tool; what comes back, unresolved."""
    return cast(
        "Created | CallToolResult | InputRequiredResult",
        await client.session.call_tool(tool, arguments, allow_claimed=True),
    )


async def task_of(client: Client, tool: str, /, **arguments: Any) -> str:
    """The id of the task that a call creates."""
    created = await begin(client, tool, **arguments)
    assert isinstance(created, Created), created
    return created.task_id


async def get(session: ClientSession, task_id: str) -> Json:
    """The task as it is."""
    return await _send(session, Get(params=TaskParams(task_id=task_id)))


async def cancel(session: ClientSession, task_id: str) -> Json:
    return await _send(session, Cancel(params=TaskParams(task_id=task_id)))


async def update(session: ClientSession, task_id: str) -> Json:
    return await _send(session, Update(params=UpdateParams(task_id=task_id, input_responses={})))


async def _send(session: ClientSession, request: Request[Any, Any]) -> Json:
    answer = await session.send_request(request, Answer)
    return answer.model_dump(mode="json", by_alias=True, exclude_none=True)
