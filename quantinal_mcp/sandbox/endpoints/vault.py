"""The endpoints of a tracker's vault and its sources; `uploads` holds the upload."""

from datetime import timedelta
from typing import Any

from quantinal_mcp.sandbox.endpoints.call import Call, Endpoint, done
from quantinal_mcp.sandbox.endpoints.checks import Invalid, integer_text, text
from quantinal_mcp.sandbox.endpoints.paging import paginate
from quantinal_mcp.sandbox.endpoints.uploads import upload_source
from quantinal_mcp.sandbox.world.clock import stamp
from quantinal_mcp.sandbox.world.errors import bad_request


async def get_vault(call: Call) -> Any:
    """GET /api/trackers/{tracker_id}/vault."""
    tracker_id = call.path["tracker_id"]
    owner = call.account.vault_owner(tracker_id)
    vault = call.account.vault(tracker_id, call.now)
    return {
        "vault_id": vault.vault_id,
        "tracker_id": owner.tracker_id,
        "space_id": owner.space_id,
        "name": f"{owner.settings['name']} Vault",
        "description": None,
        "total_sources": len(vault.sources),
        "total_data_items": sum(len(source.items) for source in vault.sources.values()),
        "total_size_gb": round(vault.size_bytes() / 1e9, 9),
        "ttl_days": owner.settings["vault_ttl_days"],
        "created_at": stamp(vault.created_at),
        "updated_at": stamp(vault.updated_at),
    }


def _content_types(value: Any) -> set[str]:
    wanted = {part.strip() for part in str(value).split(",")}
    if not wanted <= {"text", "json"}:
        raise Invalid("Input should be a comma-separated list of 'text' and 'json'", "enum")
    return wanted


async def list_recent(call: Call) -> Any:
    """GET /api/trackers/{tracker_id}/vault/recent: newest first."""
    now = call.now
    vault = call.account.vault(call.path["tracker_id"], now)
    query = call.query()
    limit = query.take("limit", integer_text(1, 100), default=10)
    types = query.take("content_types", _content_types, default={"text", "json"})
    hours = query.take("since_hours", integer_text(1, 1_000_000))
    query.done()
    since = None if hours is None else now - timedelta(hours=hours)
    found = [
        (item, source)
        for source in vault.sources.values()
        for item in source.items
        if item.content_type in types and (since is None or item.created_at >= since)
    ]
    # Of items uploaded at the same moment, the last one is the newest.
    found.reverse()
    newest = sorted(found, key=lambda pair: pair[0].created_at, reverse=True)[:limit]
    results = [
        {
            "data_id": item.data_id,
            "source_id": source.source_id,
            "content": item.content,
            "content_type": item.content_type,
            "token_count": len(item.content) // 4 + 1,
            "created_at": stamp(item.created_at),
            "metadata": None,
            "source_name": source.name,
        }
        for item, source in newest
    ]
    return {"results": results, "total": len(results)}


async def list_sources(call: Call) -> Any:
    """GET /api/trackers/{tracker_id}/vault/sources."""
    vault = call.account.vault(call.path["tracker_id"], call.now)
    return paginate(call.query(), lambda: [source.view() for source in vault.sources.values()])


async def get_source(call: Call) -> Any:
    """GET /api/trackers/{tracker_id}/vault/sources/{source_id}."""
    return call.account.source(call.path["tracker_id"], call.path["source_id"], call.now).view()


async def update_source(call: Call) -> Any:
    """PATCH /api/trackers/{tracker_id}/vault/sources/{source_id}; a null description clears it."""
    now, tracker_id = call.now, call.path["tracker_id"]
    source = call.account.source(tracker_id, call.path["source_id"], now)
    vault = call.account.vault(tracker_id, now)
    body = call.body()
    name = body.take("name", text(1, 200), default=source.name)
    description = body.take("description", text(0, 500), nullable=True, default=source.description)
    body.done()
    if any(other.name == name for other in vault.sources.values() if other is not source):
        raise bad_request(f"Another source is already named '{name}'")
    source.name, source.description = name, description
    source.updated_at = vault.updated_at = now
    return source.view()


async def delete_source(call: Call) -> Any:
    """DELETE /api/trackers/{tracker_id}/vault/sources/{source_id}."""
    now, tracker_id = call.now, call.path["tracker_id"]
    source = call.account.source(tracker_id, call.path["source_id"], now)
    vault = call.account.vault(tracker_id, now)
    del vault.sources[source.source_id]
    vault.updated_at = now
    return done("Data source deleted successfully")


ENDPOINTS = (
    Endpoint("GET", "/api/trackers/{tracker_id}/vault", get_vault),
    Endpoint("GET", "/api/trackers/{tracker_id}/vault/recent", list_recent),
    Endpoint("POST", "/api/trackers/{tracker_id}/vault/sources", upload_source, per_minute=30),
    Endpoint("GET", "/api/trackers/{tracker_id}/vault/sources", list_sources, per_minute=200),
    Endpoint("GET", "/api/trackers/{tracker_id}/vault/sources/{source_id}", get_source),
    Endpoint("PATCH", "/api/trackers/{tracker_id}/vault/sources/{source_id}", update_source),
    Endpoint("DELETE", "/api/trackers/{tracker_id}/vault/sources/{source_id}", delete_source),
)
