"""Spaces: containers of trackers. Tokens may read them only."""

from __future__ import annotations

from typing import Required

from typing_extensions import TypedDict

from quantinal_mcp.models.common import Identifier, Number, tolerant


@tolerant
class Space(TypedDict, total=False):
    """GET /api/spaces and /api/spaces/{space_id}. Sizes are in GB, costs per month."""

    space_id: Required[Identifier]
    name: str | None
    description: str | None
    category: str | None
    capacity_gb: Number | None
    used_gb: Number | None
    throughput_per_hour: Number | None
    rate_limit_per_hour: Number | None
    monthly_cost: Number | None
    storage_cost: Number | None
    throughput_cost: Number | None
    tracker_count: int | None
    source_count: int | None
    result_count: int | None
    is_active: bool | None
    created_at: str | None
    updated_at: str | None
