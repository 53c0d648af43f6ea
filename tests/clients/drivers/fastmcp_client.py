"""The client of fastmcp."""

from __future__ import annotations

import asyncio
import json
import os

from fastmcp import Client
from fastmcp.client.transports import StdioTransport

JOB = json.loads(os.environ["CLIENT_JOB"])


async def main() -> None:
    ticks: list[float] = []

    async def told(progress: float, total: float | None, message: str | None) -> None:
        ticks.append(progress)

    async with Client(StdioTransport(**JOB["server"]), progress_handler=told) as client:
        tools = [tool.name for tool in await client.list_tools()]
        result = await client.call_tool(JOB["tool"], JOB["arguments"])
    print(json.dumps({"tools": tools, "run": result.structured_content, "ticks": len(ticks)}))


asyncio.run(main())
