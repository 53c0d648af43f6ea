"""GET /api/spaces and GET /api/spaces/{space_id}."""

from typing import Any

from quantinal_mcp.sandbox.endpoints.call import Call, Endpoint
from quantinal_mcp.sandbox.endpoints.paging import paginate
from quantinal_mcp.sandbox.world.account import Account
from quantinal_mcp.sandbox.world.clock import stamp
from quantinal_mcp.sandbox.world.errors import console_only
from quantinal_mcp.sandbox.world.records import Json, Space


def _view(account: Account, space: Space, call: Call, *, full: bool) -> Json:
    trackers = account.in_space(space.space_id)
    results = sum(run.score(call.now) is not None for tracker in trackers for run in tracker.runs.values())
    stored = sum(tracker.vault.size_bytes() for tracker in trackers) / 1e9
    return {
        "space_id": space.space_id,
        "name": space.name,
        "description": space.description,
        "category": space.category,
        **space.plan,
        "used_gb": round(space.plan["used_gb"] + stored, 6),
        **({"is_active": True} if full else {}),
        "tracker_count": len(trackers),
        "source_count": sum(len(tracker.vault.sources) for tracker in trackers),
        "result_count": results,
        "created_at": stamp(space.created_at),
        "updated_at": stamp(space.updated_at) if space.updated_at else None,
    }


async def list_spaces(call: Call) -> Any:
    """GET /api/spaces."""
    return paginate(
        call.query(),
        lambda: [_view(call.account, space, call, full=False) for space in call.account.spaces.values()],
    )


async def get_space(call: Call) -> Any:
    """GET /api/spaces/{space_id}."""
    return _view(call.account, call.account.space(call.path["space_id"]), call, full=True)


async def refuse(call: Call) -> Any:  # noqa: ARG001
    """403: only the web console can do this."""
    raise console_only()


ENDPOINTS = (
    Endpoint("GET", "/api/spaces", list_spaces),
    Endpoint("GET", "/api/spaces/{space_id}", get_space),
    Endpoint("POST", "/api/spaces", refuse),
    Endpoint("PUT", "/api/spaces/{space_id}", refuse),
    Endpoint("PATCH", "/api/spaces/{space_id}", refuse),
    Endpoint("DELETE", "/api/spaces/{space_id}", refuse),
    *(
        Endpoint(method, f"/api/{area}{rest}", refuse)
        for area in ("billing", "payments", "webhooks", "account", "tokens", "marketplace", "privacy")
        for rest in ("", "/{rest:path}")
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
    ),
)
