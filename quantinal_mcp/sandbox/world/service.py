"""The services that the sandbox can play, and all in which they differ."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Service:
    """One version of the service."""

    multipliers: Mapping[str, int]
    """Of a run's price, by reasoning mode; a mode that is not here is refused."""
    seconds: Mapping[str, tuple[float, float]]
    """How long a run takes before time is scaled."""
    async_only: frozenset[str] = frozenset()
    """Reasoning modes in which a sync trigger is refused."""
    link_cost: float
    """Quants per linked tracker and run."""
    links_starred: bool
    """Whether other people's public trackers can be linked once they are starred."""
    keeps_unknown_keys: bool
    """Whether configurations keep keys that the documents do not name."""
    unsent: frozenset[str] = frozenset()
    """Documented fields of trackers that are not sent."""


_SECONDS = {"basic": (30.0, 90.0), "advanced": (300.0, 600.0), "super": (1200.0, 2400.0)}

SERVICES: Mapping[str, Service] = {
    "documented": Service(
        multipliers={"basic": 1, "advanced": 8, "super": 30},
        seconds=_SECONDS,
        link_cost=0.004,
        links_starred=True,
        keeps_unknown_keys=False,
    ),
    "v0.3": Service(
        multipliers={"basic": 1, "advanced": 6, "super": 25, "zen": 55},
        seconds={**_SECONDS, "zen": (2700.0, 3600.0)},
        async_only=frozenset({"zen"}),
        link_cost=0.0,
        links_starred=False,
        keeps_unknown_keys=True,
        unsent=frozenset({"visibility"}),
    ),
}
"""The service of the endpoint pages, and the one that its release notes and later pages tell of."""
