"""The API as an OpenAPI document, from the schemas of our own tools, so that a bridge describes what we describe."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

TOOLS = Path(__file__).resolve().parents[2] / "quantinal_mcp" / "protocol" / "listed"
OURS_ALONE = {"detail", "wait_seconds", "max_quants", "clear_fields", "confirm_name"}
VAULT = "/api/trackers/{tracker_id}/vault"

ENDPOINTS: Mapping[str, tuple[str, str]] = {
    "list_spaces": ("get", "/api/spaces"),
    "get_space": ("get", "/api/spaces/{space_id}"),
    "create_tracker": ("post", "/api/spaces/{space_id}/trackers"),
    "list_trackers": ("get", "/api/trackers"),
    "get_tracker": ("get", "/api/trackers/{tracker_id}"),
    "update_tracker": ("patch", "/api/trackers/{tracker_id}"),
    "delete_tracker": ("delete", "/api/trackers/{tracker_id}"),
    "trigger_run": ("post", "/api/trackers/{tracker_id}/runs"),
    "list_runs": ("get", "/api/trackers/{tracker_id}/runs"),
    "get_run": ("get", "/api/trackers/{tracker_id}/runs/{run_id}"),
    "update_run_comment": ("patch", "/api/trackers/{tracker_id}/runs/{run_id}"),
    "delete_run": ("delete", "/api/trackers/{tracker_id}/runs/{run_id}"),
    "get_vault": ("get", VAULT),
    "list_recent_vault_data": ("get", f"{VAULT}/recent"),
    "upload_vault_json": ("post", f"{VAULT}/sources"),
    "list_vault_sources": ("get", f"{VAULT}/sources"),
    "get_vault_source": ("get", f"{VAULT}/sources/{{source_id}}"),
    "update_vault_source": ("patch", f"{VAULT}/sources/{{source_id}}"),
    "delete_vault_source": ("delete", f"{VAULT}/sources/{{source_id}}"),
    "list_skills": ("get", "/api/skills"),
}


def document() -> dict[str, Any]:
    """Return the OpenAPI document."""
    paths: dict[str, dict[str, Any]] = {}
    for name, (method, path) in ENDPOINTS.items():
        tool = json.loads((TOOLS / f"{name}.json").read_text("utf-8"))
        paths.setdefault(path, {})[method] = _operation(name, method, path, tool)
    return {"openapi": "3.1.0", "info": {"title": "Quantinal", "version": "1"}, "paths": paths}


def _operation(name: str, method: str, path: str, tool: Mapping[str, Any]) -> dict[str, Any]:
    schema = tool["inputSchema"]
    fields = {key: value for key, value in schema.get("properties", {}).items() if key not in OURS_ALONE}
    required = set(schema.get("required", ()))
    in_path = re.findall(r"{(\w+)}", path)
    loose = [key for key in fields if key not in in_path]
    in_query = loose if method == "get" else []
    answer = {"description": "OK", "content": {"application/json": {"schema": tool["outputSchema"]}}}
    operation: dict[str, Any] = {
        "operationId": name,
        "description": tool["description"],
        "parameters": [
            {"name": key, "in": "path" if key in in_path else "query", "required": key in required}
            | {"schema": fields[key]}
            for key in (*in_path, *in_query)
        ],
        "responses": {"200": answer},
    }
    if loose and not in_query:
        body = {"type": "object", "properties": {key: fields[key] for key in loose}}
        body["required"] = [key for key in loose if key in required]
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    return operation
