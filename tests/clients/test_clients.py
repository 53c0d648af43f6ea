"""Clients that others wrote meet the server as their users would: over stdio, on the sandbox."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from help.foreign import DRIVERS, SERVER, TRIGGER, drive, node_with, python_with, run
from quantinal_mcp.extensions.skills import TEXT
from quantinal_mcp.server import OFFERS

pytestmark = [pytest.mark.clients, pytest.mark.timeout(900)]

JOB = {"server": SERVER, "tool": "trigger_run", "arguments": TRIGGER}
TOOLS = [offer.function.__name__ for offer in OFFERS]

PYTHON = {
    "fastmcp_client": ["fastmcp==4.1.2"],
    "langchain_client": ["langchain-mcp-adapters==0.3.2"],
    "pydantic_ai_client": ["pydantic-ai-slim[mcp]==2.68.0"],
    "openai_agents_client": ["openai-agents==0.24.0"],
}
NODE = {
    "typescript_1": "@modelcontextprotocol/sdk@1.32.2",
    "typescript_2": "@modelcontextprotocol/client@2.4.0",
}


def is_polled_to_its_score(result: Any) -> bool:
    return (
        result["status"] == "completed"
        and 0 <= result["result"]["score"] <= 100
        and result["delivery"]["mode"] == "sync_then_polling"
        and result["delivery"]["polls"] > 0
    )


@pytest.mark.parametrize("driver", PYTHON)
def test_a_python_client_lists_the_tools_and_gets_the_score(driver: str) -> None:
    told = drive([python_with(*PYTHON[driver]), DRIVERS / f"{driver}.py"], JOB)
    assert told["tools"] == TOOLS
    assert is_polled_to_its_score(told["run"])
    assert told.get("ticks") != 0


def test_fastmcps_client_carries_a_task_to_its_score() -> None:
    told = drive([python_with("fastmcp[tasks]==4.1.4"), DRIVERS / "fastmcp_tasks_client.py"], JOB)
    assert told["status"] == "working"
    for followed in told["runs"]:
        assert followed["status"] == "completed"
        assert 0 <= followed["result"]["score"] <= 100
        assert followed["delivery"]["mode"] == "async_then_polling"


@pytest.mark.parametrize("driver", NODE)
def test_a_typescript_client_lists_the_tools_and_gets_the_score(driver: str) -> None:
    home = node_with(NODE[driver])
    told = drive(["node", f"{driver}.mjs"], JOB, cwd=home)
    assert told["tools"] == TOOLS
    assert is_polled_to_its_score(told["run"])
    assert told["ticks"] > 0


def test_a_host_of_skills_finds_the_skill_and_verifies_it() -> None:
    told = drive(["node", "skills.mjs"], {"server": SERVER}, cwd=node_with(NODE["typescript_2"]))
    assert told["supported"]
    assert told["cacheScope"] == "public"
    assert told["ttlMs"] > 0
    assert told["same"]
    assert told["verified"]
    assert told["frontmatter"]["name"] == "quantinal"
    assert told["body"] in TEXT.read_text("utf-8")
    assert told["refused"] == -32602


def inspector(home: Path, *words: str, era: str = "legacy") -> Any:
    """What the Inspector prints."""
    environment = [word for name, value in SERVER["env"].items() for word in ("-e", f"{name}={value}")]
    command = ["node_modules/.bin/mcp-inspector", "--cli", *environment, "--protocol-era", era, "-q"]
    variables = {**os.environ, "HOME": str(home), "MCP_CATALOG_PATH": str(home / "mcp.json")}
    tool = node_with("@modelcontextprotocol/inspector@2.12.0")
    return json.loads(run([*command, SERVER["command"], *SERVER["args"], *words], tool, variables))


def test_the_inspector_reads_a_resource_and_gets_a_prompt(tmp_path: Path) -> None:
    read = inspector(tmp_path, "--method", "resources/read", "--uri", f"quantinal://trackers/{TRIGGER['tracker_id']}")
    assert json.loads(read["contents"][0]["text"])["name"] == "Tesla Sentiment"
    said = inspector(
        tmp_path, "--method", "prompts/get", "--prompt-name", "briefing", "--prompt-args", "space_id=Market"
    )
    assert '"Market"' in said["messages"][0]["content"]["text"]


def test_the_inspector_finds_the_tools_portable_and_gets_the_score(tmp_path: Path) -> None:
    listed = inspector(tmp_path, "--method", "tools/list", "--strict")  # it fails where a host could not use a schema
    assert [tool["name"] for tool in listed["tools"]] == TOOLS
    given = ("--tool-name", "trigger_run", "--tool-args-json", json.dumps(TRIGGER))
    assert is_polled_to_its_score(inspector(tmp_path, "--method", "tools/call", *given)["structuredContent"])


def test_the_inspector_carries_a_task_to_its_score_and_verifies_the_skill(tmp_path: Path) -> None:
    given = ("--tool-name", "trigger_run", "--tool-args-json", json.dumps(TRIGGER))
    run = inspector(tmp_path, "--method", "tools/call", *given, era="modern")["structuredContent"]
    assert run["status"] == "completed"
    assert run["delivery"]["mode"] == "async_then_polling"  # as a task: such a call is sent without a wait
    skill = inspector(tmp_path, "--method", "skills/list", "--verify", era="modern")
    assert (skill["name"], skill["outcome"]) == ("quantinal", "verified")
