"""Vaults: a tracker's private files and JSON."""

from __future__ import annotations

from typing import Required

from typing_extensions import TypedDict

from quantinal_mcp.models.common import Amount, Identifier, Number, tolerant


@tolerant
class Vault(TypedDict, total=False):
    """GET /api/trackers/{tracker_id}/vault: the active vault, own or shared."""

    vault_id: Required[Identifier]
    tracker_id: str | None
    space_id: str | None
    name: str | None
    description: str | None
    total_sources: int | None
    total_data_items: int | None
    total_size_gb: Number | None
    ttl_days: int | None
    created_at: str | None
    updated_at: str | None


@tolerant
class VaultItem(TypedDict, total=False):
    """One data item of a vault; `content` is text, or JSON as text."""

    data_id: str | None
    source_id: str | None
    source_name: str | None
    content: str | None
    content_type: str | None
    token_count: int | None
    created_at: str | None


@tolerant
class RecentItems(TypedDict, total=False):
    """GET /api/trackers/{tracker_id}/vault/recent, newest first."""

    results: Required[list[VaultItem]]
    total: int | None


@tolerant
class Source(TypedDict, total=False):
    """A vault source. `data_count` counts its rows or chunks."""

    source_id: Required[Identifier]
    vault_id: str | None
    name: str | None
    description: str | None
    source_type: str | None
    size_bytes: int | None
    data_count: int | None
    status: str | None
    uploaded_at: str | None
    updated_at: str | None


class Upload(Source, total=False):
    """POST /api/trackers/{tracker_id}/vault/sources: the source after the upload, and what it added."""

    rows_processed: int | None
    is_new_source: bool | None
    cost_quants: Amount
