"""What a wait costs: requests to the service, and how late the end of a run is noticed, on a simulated clock."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal, cast

import anyio
from mcp import Client
from mcp.client.extension import ClaimContext, ClientExtension, ResultClaim
from mcp_types import CallToolResult, Request, Result
from pydantic import ConfigDict
from tokens import TRACKER
from trio.testing import MockClock

from quantinal_mcp.client import Http
from quantinal_mcp.extensions.tasks import IDENTIFIER, TaskParams
from quantinal_mcp.sandbox import Sandbox
from quantinal_mcp.server import build_server
from quantinal_mcp.settings import Settings

LENGTHS = (1.0, 30.0, 300.0, 2400.0)


class _Created(Result):
    result_type: Literal["task"] = "task"
    task_id: str
    poll_interval_ms: int


class _State(Result):
    model_config = ConfigDict(extra="allow")
    status: str
    poll_interval_ms: int


class _Get(Request[TaskParams, Literal["tasks/get"]]):
    name_param: ClassVar[str | None] = "taskId"
    method: Literal["tasks/get"] = "tasks/get"
    params: TaskParams


class _Driver(ClientExtension):
    """Polls a task at the intervals that the server asks for."""

    identifier = IDENTIFIER

    def claims(self) -> Sequence[ResultClaim[Any]]:
        return [ResultClaim(result_type="task", model=_Created, resolve=self._resolve)]

    async def _resolve(self, created: _Created, context: ClaimContext) -> CallToolResult:
        pause = created.poll_interval_ms
        while True:
            await anyio.sleep(pause / 1000)
            state = await context.session.send_request(_Get(params=TaskParams(task_id=created.task_id)), _State)
            pause = state.poll_interval_ms
            if state.status != "working":
                return CallToolResult.model_validate((state.model_extra or {})["result"])


def _ended(answer: CallToolResult) -> bool:
    return (answer.structured_content or {})["status"] in ("completed", "failed")


async def _by_waiting(client: Client, trigger: Mapping[str, Any]) -> None:
    answer = await client.call_tool("trigger_run", dict(trigger))
    run_id = (answer.structured_content or {})["run_id"]
    while not _ended(answer):
        answer = await client.call_tool("wait_for_run", {"tracker_id": TRACKER, "run_id": run_id})


async def _as_a_task(client: Client, trigger: Mapping[str, Any]) -> None:
    if not _ended(await client.call_tool("trigger_run", dict(trigger))):
        raise RuntimeError("the task ended before its run")


async def _follow(
    seconds: float,
    follow: Callable[[Client, Mapping[str, Any]], Awaitable[None]],
    extensions: Sequence[ClientExtension],
) -> tuple[int, float]:
    sandbox = Sandbox(sync_limit=1e9, time_scale=1, pending_seconds=0)
    server = build_server(
        Settings(api_token="qapi_sandbox", wait_seconds=300, state="memory"),  # noqa: S106 - opens the simulation
        lambda: Http("http://sandbox/v1", sandbox.transport()),
    )
    async with Client(server, extensions=extensions) as client:
        started = anyio.current_time()
        steer = {"sandbox": {"seconds": seconds, "fail": False}}
        await follow(client, {"tracker_id": TRACKER, "context": steer})
        polls = sandbox.count("GET", r"/runs/[^/]+$")
        return polls, anyio.current_time() - started - seconds


def waits() -> dict[str, dict[float, tuple[int, float]]]:
    """Requests of a wait, and seconds from the end of the run to its notice, by the run's length in seconds.

    Of a client that calls `wait_for_run`, and of one that follows the run as a task.
    """

    def simulate(seconds: float, *how: Any) -> tuple[int, float]:
        options = {"clock": MockClock(autojump_threshold=0)}
        return cast("tuple[int, float]", anyio.run(_follow, seconds, *how, backend="trio", backend_options=options))

    return {
        "wait_for_run": {seconds: simulate(seconds, _by_waiting, ()) for seconds in LENGTHS},
        "as a task": {seconds: simulate(seconds, _as_a_task, (_Driver(),)) for seconds in LENGTHS},
    }


if __name__ == "__main__":
    print(waits())
