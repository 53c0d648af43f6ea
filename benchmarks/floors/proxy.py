"""What somebody writes in ten minutes: three tools that pass on what the API answers."""

import os
from typing import Any

import httpx
from mcp.server import MCPServer

server = MCPServer("proxy")
client = httpx.AsyncClient(
    base_url=os.environ["QUANTINAL_BASE_URL"],
    headers={"Authorization": f"Bearer {os.environ['QUANTINAL_API_TOKEN']}"},
)


async def fetch(path: str, **params: int) -> dict[str, Any]:
    response = await client.get(path, params=params)
    response.raise_for_status()
    return response.json()


@server.tool()
async def get_tracker(tracker_id: str) -> dict[str, Any]:
    """Get a tracker."""
    return await fetch(f"/api/trackers/{tracker_id}")


@server.tool()
async def get_run(tracker_id: str, run_id: str) -> dict[str, Any]:
    """Get a run."""
    return await fetch(f"/api/trackers/{tracker_id}/runs/{run_id}")


@server.tool()
async def list_runs(tracker_id: str, page: int = 1, page_size: int = 20) -> dict[str, Any]:
    """List runs."""
    return await fetch(f"/api/trackers/{tracker_id}/runs", page=page, page_size=page_size)


server.run("stdio")
