"""pydantic-ai: an agent whose model is a function, which calls the tool and ends."""

from __future__ import annotations

import asyncio
import json
import os

from fastmcp.client.transports import StdioTransport
from pydantic_ai import Agent
from pydantic_ai.mcp import MCPToolset
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

JOB = json.loads(os.environ["CLIENT_JOB"])


def model(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    for part in messages[-1].parts:
        if isinstance(part, ToolReturnPart):
            tools = [tool.name for tool in info.function_tools]
            run = part.content if isinstance(part.content, dict) else json.loads(part.content)
            return ModelResponse([TextPart(json.dumps({"tools": tools, "run": run}))])
    return ModelResponse([ToolCallPart(JOB["tool"], JOB["arguments"])])


async def main() -> None:
    agent = Agent(FunctionModel(model), toolsets=[MCPToolset(StdioTransport(**JOB["server"]))])
    async with agent:
        print((await agent.run("Run it.")).output)


asyncio.run(main())
