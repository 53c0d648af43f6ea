"""Ids of the seeded data, and ways to reach a sandbox."""

from datetime import UTC, datetime
from typing import Any

import httpx

from quantinal_mcp.sandbox import Sandbox

TOKEN = "qapi_sandbox"
START = datetime(2026, 3, 1, 12, tzinfo=UTC)
SPACE = "spc_f30e60c1-75fd-47f7-967e-29afc19a3ea7"
TESLA = "trk_a1b2c3d4-5e6f-4a7b-8c9d-0e1f2a3b4c5d"
RUN = "run_9f8e7d6c-5a4b-4c3d-2e1f-0a9b8c7d6e5f"
SOURCE = "b4c5d6e7-8f9a-4b0c-1d2e-3f4a5b6c7d8e"


def in_process(sandbox: Sandbox, token: str = TOKEN) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=sandbox.transport(),
        base_url="http://sandbox/v1",
        headers={"Authorization": f"Bearer {token}"},
    )


def tracker_body(**changes: Any) -> dict[str, Any]:
    config = {"instruction": "Read.", "score_meaning": "Mood", "skills": ["web"]}
    body: dict[str, Any] = {"name": "New", "description": "New one", "run_mode": "manual", "agent_config": config}
    return body | changes
