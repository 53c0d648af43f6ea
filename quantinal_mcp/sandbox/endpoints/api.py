"""The documented endpoints as an ASGI app: authentication, rate limits, error answers."""

from typing import cast

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from quantinal_mcp.sandbox.endpoints import runs, skills, spaces, trackers, vault
from quantinal_mcp.sandbox.endpoints.call import Answer, Call, Endpoint
from quantinal_mcp.sandbox.world.errors import ApiError
from quantinal_mcp.sandbox.world.world import World

DETACHED = "quantinal.sandbox.detached"
"""Set in the scope of a request whose answer nobody waits for."""


def build_api(world: World) -> Starlette:
    """The API below `/v1`."""
    app = Starlette(routes=_ROUTES, exception_handlers={HTTPException: _http_error, ApiError: _api_error})
    app.router.redirect_slashes = False
    app.state.world = world
    return app


def _route(endpoint: Endpoint) -> Route:
    async def answer(request: Request) -> Response:
        world: World = request.app.state.world
        token = world.token_of(request.headers)
        if token is None:
            raise ApiError(401, "Invalid or missing API token", headers={"WWW-Authenticate": "Bearer"})
        account = world.account(token)
        if endpoint.per_minute is not None:
            world.admit(account, (endpoint.method, endpoint.path), endpoint.per_minute)
        call = Call(
            account=account,
            options=world.options,
            clock=world.clock,
            path=request.path_params,
            params=request.query_params,
            headers=request.headers,
            content=await request.body(),
            detached=bool(request.scope.get(DETACHED)),
        )
        answered = await endpoint.handler(call)
        if isinstance(answered, Answer):
            return JSONResponse(answered.body, answered.status)
        return JSONResponse(answered)

    return Route(f"/v1{endpoint.path}", answer, methods=[endpoint.method])


_ROUTES = [
    _route(endpoint)
    for endpoint in (
        *spaces.ENDPOINTS,
        *trackers.ENDPOINTS,
        *runs.ENDPOINTS,
        *vault.ENDPOINTS,
        *skills.ENDPOINTS,
    )
]


async def _http_error(_request: Request, error: Exception) -> Response:
    refused = cast("HTTPException", error)
    return JSONResponse({"detail": refused.detail}, refused.status_code, refused.headers)


async def _api_error(_request: Request, error: Exception) -> Response:
    refused = cast("ApiError", error)
    return JSONResponse(refused.body, refused.status, refused.headers)
