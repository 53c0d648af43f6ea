"""openai-agents: an agent whose model is a stand-in, which calls the tool and ends."""

from __future__ import annotations

import asyncio
import json
import os
from typing import Any

from agents import Agent, Model, ModelResponse, Runner, Usage, set_tracing_disabled
from agents.mcp import MCPServerStdio
from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText

JOB = json.loads(os.environ["CLIENT_JOB"])


def run_in(output: Any) -> Any:
    """The run in a tool's output, which is text, or a list with one block of text."""
    read = json.loads(output if isinstance(output, str) else output[0]["text"])
    return json.loads(read["text"]) if "text" in read else read


class StandIn(Model):
    async def get_response(
        self, system_instructions: Any, input: Any, model_settings: Any, tools: Any, *args: Any, **more: Any
    ) -> ModelResponse:
        outputs = [item["output"] for item in input if item.get("type") == "function_call_output"]
        answer: Any = ResponseFunctionToolCall(
            id="1", call_id="1", name=JOB["tool"], arguments=json.dumps(JOB["arguments"]), type="function_call"
        )
        if outputs:
            told = json.dumps({"tools": [tool.name for tool in tools], "run": run_in(outputs[0])})
            text = ResponseOutputText(text=told, type="output_text", annotations=[])
            answer = ResponseOutputMessage(id="1", content=[text], role="assistant", status="completed", type="message")
        return ModelResponse(output=[answer], usage=Usage(), response_id=None)

    def stream_response(self, *args: Any, **more: Any) -> Any:
        raise NotImplementedError


async def main() -> None:
    set_tracing_disabled(disabled=True)
    async with MCPServerStdio(JOB["server"], client_session_timeout_seconds=60) as server:
        result = await Runner.run(Agent("agent", model=StandIn(), mcp_servers=[server]), "Run it.")
    print(result.final_output)


asyncio.run(main())
