"""The client of fastmcp with its extension for tasks, which it registers by itself."""

from __future__ import annotations

import asyncio
import json
import os

from fastmcp import Client
from fastmcp.client.transports import StdioTransport
from fastmcp_tasks.client import call_tool_task

JOB = json.loads(os.environ["CLIENT_JOB"])


async def main() -> None:
    async with Client(StdioTransport(**JOB["server"])) as client:
        by_itself = await client.call_tool(JOB["tool"], JOB["arguments"])
        task = await call_tool_task(client, JOB["tool"], {**JOB["arguments"], "again": True})
        status = await task.status()
        by_handle = await task.result()
    print(
        json.dumps(
            {
                "status": status.status,
                "runs": [by_itself.structured_content, by_handle.structured_content],
            }
        )
    )


asyncio.run(main())
