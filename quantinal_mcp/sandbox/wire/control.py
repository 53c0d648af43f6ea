"""Endpoints below /_sandbox by which another process steers the sandbox. No token is asked for."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, cast

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from quantinal_mcp.sandbox.wire.faults import Fault, Faults
from quantinal_mcp.sandbox.wire.front import RecordedRequest
from quantinal_mcp.sandbox.world.errors import ApiError
from quantinal_mcp.sandbox.world.world import World


def build_control(world: World, faults: Faults, requests: Sequence[RecordedRequest]) -> Starlette:
    """Faults, counts, what was starred in the console, and runs begun by somebody else."""

    async def add_faults(request: Request) -> Response:
        try:
            told = [Fault(**fault) for fault in await request.json()]
        except (TypeError, ValueError) as wrong:
            raise HTTPException(422, str(wrong)) from None
        faults.add(*told)
        return JSONResponse({"added": len(told)}, 201)

    async def clear_faults(_request: Request) -> Response:
        faults.clear()
        return Response(status_code=204)

    async def stats(_request: Request) -> Response:
        accounts = world.accounts()
        return JSONResponse(
            {
                "requests": Counter(f"{one.method} {one.path}" for one in requests),
                "runs_created": sum(account.runs_begun for account in accounts),
                "charged": round(sum(account.charged for account in accounts), 6),
                "balance": world.account().balance,
            }
        )

    async def starred(_request: Request) -> Response:
        return JSONResponse(sorted(world.account().starred))

    async def begin_run(request: Request) -> Response:
        asked: dict[str, Any] = await request.json()
        try:
            return JSONResponse(world.begin_run(**asked), 201)
        except (TypeError, LookupError) as wrong:
            raise HTTPException(422, str(wrong)) from None
        except ApiError as wrong:
            return JSONResponse(wrong.body, wrong.status)

    async def http_error(_request: Request, error: Exception) -> Response:
        refused = cast("HTTPException", error)
        return JSONResponse({"detail": refused.detail}, refused.status_code)

    return Starlette(
        routes=[
            Route("/_sandbox/faults", add_faults, methods=["POST"]),
            Route("/_sandbox/faults", clear_faults, methods=["DELETE"]),
            Route("/_sandbox/stats", stats, methods=["GET"]),
            Route("/_sandbox/starred", starred, methods=["GET"]),
            Route("/_sandbox/runs", begin_run, methods=["POST"]),
        ],
        exception_handlers={HTTPException: http_error},
    )
