"""The least that a tool can do: three that pass on the text that the API answers, unread."""

import os

import httpx
from mcp.server import MCPServer

server = MCPServer("proxy")
client = httpx.AsyncClient(
    base_url=os.environ["QUANTINAL_BASE_URL"],
    headers={"Authorization": f"Bearer {os.environ['QUANTINAL_API_TOKEN']}"},
)


async def fetch(path: str, **params: int) -> str:
    response = await client.get(path, params=params)
    response.raise_for_status()
    return response.text


@server.tool(structured_output=False)
async def get_tracker(tracker_id: str) -> str:
    """Get a tracker."""
    return await fetch(f"/api/trackers/{tracker_id}")


@server.tool(structured_output=False)
async def get_run(tracker_id: str, run_id: str) -> str:
    """Get a run."""
    return await fetch(f"/api/trackers/{tracker_id}/runs/{run_id}")


@server.tool(structured_output=False)
async def list_runs(tracker_id: str, page: int = 1, page_size: int = 20) -> str:
    """List runs."""
    return await fetch(f"/api/trackers/{tracker_id}/runs", page=page, page_size=page_size)


server.run("stdio")
