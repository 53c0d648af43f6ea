"""What a run will cost, from the documented formula and from what such runs really used.

Source: the Skills page (`base_cost_quants`), the reasoning multipliers of two pages of different age, and
`quants_used` of completed runs. The documents give no figure for the fixed part or for linked trackers. Costs are in
quants.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from quantinal_mcp.models.runs import Run
from quantinal_mcp.models.trackers import AgentConfigShape

_MINUTES_PER_DAY = 1440


@dataclass(frozen=True, slots=True)
class Multipliers:
    """What each reasoning mode multiplies the skills' prices by, as one page of the service tells it."""

    page: str
    factors: Mapping[str, int]


MULTIPLIERS = (
    Multipliers("the endpoint page", {"basic": 1, "advanced": 8, "super": 30}),
    Multipliers("the scoring page of v0.3", {"basic": 1, "advanced": 6, "super": 25, "zen": 55}),
)
"""Oldest first. Which of them a service goes by is not known: an older one can be too much, a newer too little."""

DEAREST: Mapping[str, int] = {
    mode: max(told.factors[mode] for told in MULTIPLIERS if mode in told.factors) for mode in MULTIPLIERS[-1].factors
}
"""What each reasoning mode multiplies by at most, cheapest mode first."""


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
        """Whether nothing costs less: basic reasoning with a skill, whose price bounds it, and no linked trackers."""
        return self.reasoning_mode == "basic" and bool(self.skills) and not self.linked_trackers


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

    What completed runs of this configuration were charged wins, the dearest of them: a maximum changes only when a
    dearer run was seen, so a question built on it stays the same between two rounds. They tell of other prices only
    where they were charged less than the formula asks by any multipliers. Then, and where there is no such run, the
    formula counts by the dearest multipliers.
    """
    base, unknowns = _base(config, prices)
    told = [
        (sheet.factors[config.reasoning_mode], sheet.page)
        for sheet in MULTIPLIERS
        if config.reasoning_mode in sheet.factors
    ]
    if not told:
        unknowns = (f"multiplier of reasoning mode {config.reasoning_mode}", *unknowns)
    factors = [factor for factor, _ in told]
    least = round(base * min(factors), 6) if base is not None and told else None
    most = round(base * max(factors), 6) if base is not None and told else None
    used = [
        charged
        for run in past
        if run["status"] == "completed"
        and (charged := run.get("quants_used")) is not None
        and charged >= 0
        and Config.of((run.get("config_snapshot") or {}).get("agent_config")) == config
    ]
    if used and (least is None or max(used) >= least):
        return Estimate(max(used), least, f"history: dearest of {len(used)} completed runs like it")
    if most is None or (config.linked_trackers and not used):
        return Estimate(None, least, "unknown", unknowns)
    return Estimate(most, least, _formula(told), () if used else unknowns)


def _formula(told: Sequence[tuple[int, str]]) -> str:
    """Say by which multipliers it was reckoned; only what no page puts lower is called a lower bound."""
    factor, page = max(told, key=lambda one: one[0])
    lower = [f"{where} says x {other}" for other, where in told if other < factor]
    by = "" if len(told) > 1 and not lower else f", by {page}"
    return f"formula: skill prices x {factor}{by}" + (f"; {', '.join(lower)}" if lower else " (a lower bound)")


def _base(config: Config, prices: Mapping[str, float] | None) -> tuple[float | None, tuple[str, ...]]:
    """Add up the skills' prices, and say what is not known of a run's cost."""
    known = {skill: price for skill, price in (prices or {}).items() if price >= 0}
    missing = sorted(config.skills - known.keys())
    unknowns: list[str] = []
    if not config.skills:
        unknowns.append("price of a run without skills, which is not documented")
    elif prices is None:
        unknowns.append("skill prices: this token cannot list skills, or listing them failed")
    else:
        unknowns += [f"price of skill {skill}" for skill in missing]
    if config.linked_trackers:
        unknowns.append(f"surcharge of {len(config.linked_trackers)} linked trackers, which is not documented")
    if missing or not config.skills:
        return None, tuple(unknowns)
    return sum(known[skill] for skill in config.skills), tuple(unknowns)


def needs_consent(expected: Estimate, config: Config, threshold: float) -> bool:
    """Whether a person has to agree: dearer than the threshold, or of unknown cost unless the cheapest kind."""
    if expected.estimated_quants is None:
        return not config.is_cheapest
    return expected.estimated_quants > threshold


def runs_per_day(interval_minutes: float) -> float:
    """How often a schedule runs a day."""
    return _MINUTES_PER_DAY / max(interval_minutes, 1)
