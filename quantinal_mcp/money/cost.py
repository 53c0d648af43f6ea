"""What a run will cost, from the documented formula and from what such runs really used.

Source: the Skills page (`base_cost_quants`), the reasoning multipliers of `agent_config`, and `quants_used` of
completed runs. The documents give no figure for the fixed part or for linked trackers, so the formula is a lower
bound. Costs are in quants.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from quantinal_mcp.models.runs import Run
from quantinal_mcp.models.trackers import AgentConfigShape

MULTIPLIERS: Mapping[str, int] = {"basic": 1, "advanced": 8, "super": 30}
_MINUTES_PER_DAY = 1440


@dataclass(frozen=True, slots=True)
class Config:
    """The part of an agent configuration that decides what a run costs."""

    skills: frozenset[str]
    reasoning_mode: str
    linked_trackers: frozenset[str]

    @classmethod
    def of(cls, agent_config: AgentConfigShape | None) -> Config:
        """Read the configuration of a tracker or a run; what is absent has its documented default."""
        given = agent_config or {}
        return cls(
            frozenset(given.get("skills") or ()),
            given.get("reasoning_mode") or "basic",
            frozenset(given.get("linked_trackers") or ()),
        )

    def with_mode(self, reasoning_mode: str) -> Config:
        """Return the same configuration in another reasoning mode."""
        return replace(self, reasoning_mode=reasoning_mode)

    @property
    def is_cheapest(self) -> bool:
        """Whether nothing costs less: basic reasoning without linked trackers."""
        return self.reasoning_mode == "basic" and not self.linked_trackers


@dataclass(frozen=True, slots=True)
class Estimate:
    """An expected cost. `estimated_quants` is None where it cannot be known; `at_least` is a lower bound."""

    estimated_quants: float | None
    at_least: float | None
    basis: str
    unknowns: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.estimated_quants is not None:
            return f"about {quants(self.estimated_quants)} quants"
        if self.at_least is not None:
            return f"at least {quants(self.at_least)} quants, with an unknown surcharge"
        return "an unknown number of quants"


def quants(amount: float) -> str:
    """Print an amount without trailing zeros or binary noise."""
    return f"{amount:.4f}".rstrip("0").rstrip(".")


def estimate(config: Config, prices: Mapping[str, float] | None, past: Iterable[Run]) -> Estimate:
    """Estimate one run of `config`; `prices` are base costs by skill id, or None where they cannot be read.

    The larger of the formula and the dearest of the past completed runs of this configuration counts: a maximum
    changes only when a dearer run was seen, so a question built on it stays the same between two rounds.
    """
    formula, unknowns = _formula(config, prices)
    used = [
        charged
        for run in past
        if run["status"] == "completed"
        and (charged := run.get("quants_used")) is not None
        and Config.of((run.get("config_snapshot") or {}).get("agent_config")) == config
    ]
    if used:
        dearest = max(used)
        if formula is not None and formula > dearest:
            return Estimate(formula, formula, "formula: skill prices x reasoning multiplier")
        return Estimate(dearest, formula, f"history: dearest of {len(used)} completed runs like it")
    if formula is None or config.linked_trackers:
        return Estimate(None, formula, "unknown", unknowns)
    return Estimate(formula, formula, "formula: skill prices x reasoning multiplier (a lower bound)", unknowns)


def _formula(config: Config, prices: Mapping[str, float] | None) -> tuple[float | None, tuple[str, ...]]:
    unknowns: list[str] = []
    multiplier = MULTIPLIERS.get(config.reasoning_mode)
    if multiplier is None:
        unknowns.append(f"multiplier of reasoning mode {config.reasoning_mode}")
    if prices is None:
        unknowns.append("skill prices: this token cannot list skills, or listing them failed")
        missing = config.skills
    else:
        missing = config.skills - prices.keys()
        unknowns += [f"price of skill {skill}" for skill in sorted(missing)]
    if config.linked_trackers:
        unknowns.append(f"surcharge of {len(config.linked_trackers)} linked trackers, which is not documented")
    if multiplier is None or prices is None or missing:
        return None, tuple(unknowns)
    return round(sum(prices[skill] for skill in config.skills) * multiplier, 6), tuple(unknowns)


def needs_consent(expected: Estimate, config: Config, threshold: float) -> bool:
    """Whether a person has to agree: dearer than the threshold, or of unknown cost unless the cheapest kind."""
    if expected.estimated_quants is None:
        return not config.is_cheapest
    return expected.estimated_quants > threshold


def runs_per_day(interval_minutes: float) -> float:
    """How often a schedule runs a day."""
    return _MINUTES_PER_DAY / max(interval_minutes, 1)
