"""Endpoints below /_sandbox by which another process steers the sandbox. No token is asked for."""

from collections import Counter
from typing import TYPE_CHECKING, Any, cast

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from quantinal_mcp.sandbox.errors import ApiError
from quantinal_mcp.sandbox.faults import Fault

if TYPE_CHECKING:
    from quantinal_mcp.sandbox.sandbox import Sandbox


def build_control(sandbox: "Sandbox") -> Starlette:
    """Faults, counts, and runs begun by somebody else."""

    async def add_faults(request: Request) -> Response:
        try:
            faults = [Fault(**fault) for fault in await request.json()]
        except (TypeError, ValueError) as wrong:
            raise HTTPException(422, str(wrong)) from None
        sandbox.faults.add(*faults)
        return JSONResponse({"added": len(faults)}, 201)

    async def clear_faults(_request: Request) -> Response:
        sandbox.faults.clear()
        return Response(status_code=204)

    async def stats(_request: Request) -> Response:
        accounts = sandbox.world.accounts()
        return JSONResponse(
            {
                "requests": Counter(f"{one.method} {one.path}" for one in sandbox.requests),
                "runs_created": sum(account.runs_begun for account in accounts),
                "charged": round(sum(account.charged for account in accounts), 6),
                "balance": sandbox.balance(),
            }
        )

    async def begin_run(request: Request) -> Response:
        asked: dict[str, Any] = await request.json()
        try:
            return JSONResponse(sandbox.begin_run(**asked), 201)
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
            Route("/_sandbox/runs", begin_run, methods=["POST"]),
        ],
        exception_handlers={HTTPException: http_error},
    )
