"""Runs as tasks: no memory is needed to serve one, since its id says, sealed, which run of whom it stands for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import anyio
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.request_state import InvalidRequestState
from mcp_types import CallToolRequestParams, CallToolResult

from quantinal_mcp.accounts.account import Account
from quantinal_mcp.errors import Misconfigured, NotFound, NoToken, QuantinalError
from quantinal_mcp.extensions.tasks import Task, Tasks, unknown
from quantinal_mcp.protocol.answers import LateCodec
from quantinal_mcp.protocol.caller import account_for, token_of
from quantinal_mcp.protocol.calls import missing, told
from quantinal_mcp.protocol.calls.call import Call
from quantinal_mcp.protocol.detached import DETACHED, Detached, Followed
from quantinal_mcp.protocol.offers import answer, failed
from quantinal_mcp.runs.orders import Outcome
from quantinal_mcp.runs.watch import Going
from quantinal_mcp.tools.runs import waited
from quantinal_mcp.tools.triggering import triggered

TTL_SECONDS = 86_400.0

_PURPOSE: Final = "task"
"""Questions are sealed with the same keys; what is sealed for one purpose serves no other."""

_SOONEST_SECONDS = 2.0
_LATEST_SECONDS = 30.0
_SKEW_SECONDS = 300.0
_GOES_ON = "; it goes on, and is charged, even if this task is cancelled"


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a task's id says: the run, whose it is, and when the task began (UTC seconds since 1970)."""

    account: str
    created: float
    followed: Followed


class RunTasks(Tasks):
    """`trigger_run` and `wait_for_run` as tasks, where their run takes longer than a moment."""

    def __init__(self, codec: LateCodec) -> None:
        self._codec = codec

    async def call(
        self,
        params: CallToolRequestParams,  # noqa: ARG002 - the tools themselves say what can be followed
        ctx: ServerRequestContext[Any, Any],
        call_next: CallNext,
    ) -> HandlerResult | Task:
        """Let the tool work; once its run is on its way and does not end in a moment, let go of the call.

        For what the tool does it is as if its caller had gone away, who is then served from the journal.
        """
        result: HandlerResult = None
        detached = Detached(anyio.CancelScope())
        with detached.scope:
            result = await call_next(replace(ctx, params={**(ctx.params or {}), DETACHED: detached}))
        if detached.followed is None or not detached.scope.cancelled_caught:
            return result
        account = account_for(ctx.request, ctx.lifespan_context)
        ticket = Ticket(account.id, round(account.journal.now(), 3), detached.followed)
        going = Going("waiting for the run to end", _SOONEST_SECONDS)
        return _working(self._seal(ticket), ticket, account, going)

    async def get(self, ctx: ServerRequestContext[Any, Any], task_id: str) -> Task:
        """Look at the run, and answer what the tool would have answered once it has ended.

        Trouble that may pass is no end of a task: clients give it up after a few errors.
        """
        account, ticket = self._open(ctx, task_id)
        token = token_of(ctx.request, ctx.lifespan_context)
        try:
            state = await _state(account, ticket, token)
        except Misconfigured as error:
            state = Going(str(error), _LATEST_SECONDS)
        except QuantinalError as error:
            state = error
        if isinstance(state, NotFound):
            followed = ticket.followed
            given = {"tracker_id": followed.tracker_id} | ({"run_id": followed.run_id} if followed.run_id else {})
            state = missing.not_found(state, Call(followed.tool, {}, given, account.now()))
        if isinstance(state, QuantinalError):
            state = failed(told.text(state, ticket.followed.tool, account.now()), token)
        if isinstance(state, Going):
            return _working(task_id, ticket, account, state)
        now = account.now()
        result = state.model_dump(mode="json", by_alias=True, exclude_none=True)
        message = "the run cannot be followed any more" if state.is_error else "the run has ended"
        created = datetime.fromtimestamp(ticket.created, UTC)
        return Task(task_id, "completed", message, created, now, TTL_SECONDS, _SOONEST_SECONDS, {"result": result})

    async def update(self, ctx: ServerRequestContext[Any, Any], task_id: str, responses: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Take note of nothing: all questions were asked before there was a task."""
        self._open(ctx, task_id)

    async def cancel(self, ctx: ServerRequestContext[Any, Any], task_id: str) -> None:
        """Change nothing: no request can cancel a run."""
        self._open(ctx, task_id)

    def _seal(self, ticket: Ticket) -> str:
        return self._codec.seal(json.dumps({"for": _PURPOSE, **asdict(ticket)}, separators=(",", ":")).encode())

    def _open(self, ctx: ServerRequestContext[Any, Any], task_id: str) -> tuple[Account, Ticket]:
        """Return whose task it is, and which.

        Raises:
            MCPError: It is not the caller's, or it is over, or it never was one.
        """
        try:
            account = account_for(ctx.request, ctx.lifespan_context)
            said = json.loads(self._codec.unseal(task_id))
        except (NoToken, InvalidRequestState):
            raise unknown() from None
        if said.get("for") != _PURPOSE or said["account"] != account.id:
            raise unknown()
        ticket = Ticket(said["account"], said["created"], Followed(**said["followed"]))
        if not -_SKEW_SECONDS < account.journal.now() - ticket.created < TTL_SECONDS:
            raise unknown("This task has expired.")
        return account, ticket


async def _state(account: Account, ticket: Ticket, token: str | None) -> CallToolResult | Going | QuantinalError:
    """Return what the tool would have answered, why its trigger was refused, or how the run goes.

    Raises:
        QuantinalError: The run cannot be followed any more, and why.
        MCPError: The journal does not know the trigger.
    """
    followed = ticket.followed
    if followed.intent_id is not None:
        outcome = await account.triggers.follower.look(followed.intent_id, took_over=followed.took_over)
        if outcome is None:
            raise unknown()
        if isinstance(outcome, Outcome):
            return answer(triggered(outcome, await account.triggers.budget_left()), token)
        return outcome
    assert followed.run_id is not None  # noqa: S101 - a task follows a trigger or a run
    account.triggers.named(followed.run_id)
    age = max(0.0, account.journal.now() - ticket.created)
    run = await account.triggers.waits.glance(followed.tracker_id, followed.run_id, age)
    return run if isinstance(run, Going) else answer(waited(followed.tracker_id, run), token)


def _working(task_id: str, ticket: Ticket, account: Account, going: Going) -> Task:
    return Task(
        task_id,
        "working",
        going.message + _GOES_ON,
        datetime.fromtimestamp(ticket.created, UTC),
        account.now() - timedelta(seconds=going.seen),
        TTL_SECONDS,
        min(_LATEST_SECONDS, max(_SOONEST_SECONDS, going.again_in)),
    )
