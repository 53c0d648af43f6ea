"""langchain-mcp-adapters: the tools as a LangChain agent gets them."""

from __future__ import annotations

import asyncio
import json
import os

from langchain_mcp_adapters.client import MultiServerMCPClient

JOB = json.loads(os.environ["CLIENT_JOB"])


async def main() -> None:
    client = MultiServerMCPClient({"quantinal": {"transport": "stdio", **JOB["server"]}})
    tools = {tool.name: tool for tool in await client.get_tools()}
    content = await tools[JOB["tool"]].ainvoke(JOB["arguments"])
    [block] = [content] if isinstance(content, str) else content
    text = block if isinstance(block, str) else block["text"]
    print(json.dumps({"tools": list(tools), "run": json.loads(text)}))


asyncio.run(main())
