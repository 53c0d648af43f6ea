"""What can be configured about a sandbox."""

from dataclasses import dataclass
from datetime import datetime

from quantinal_mcp.sandbox.world.service import Service


@dataclass(frozen=True, kw_only=True)
class Options:
    """The frozen settings of one sandbox; `Sandbox` documents each."""

    service: Service
    seed: int
    start: datetime
    time_scale: float
    sync_limit: float
    listing_delay: float
    shuffle_lists: bool
    tokens: tuple[str, ...]
    balance: float
    rate_limits: bool
    skills_forbidden: bool
    pending_seconds: float
