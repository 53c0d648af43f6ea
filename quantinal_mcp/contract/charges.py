"""By which multipliers runs were charged: decisions without I/O.

The documents give no figure for the fixed part of a run's cost. What basic runs without links were charged beyond
their skills' prices tells it, since all multipliers agree on basic.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any, cast

from quantinal_mcp.contract.findings import Finding, Verdict
from quantinal_mcp.contract.lists import as_object
from quantinal_mcp.money.cost import MULTIPLIERS, quants

_TOLERANCE = 0.005
"""Half of what a charge rounded up to hundredths can be off by."""

_EXAMPLES_FIXED_PART = 0.008
"""In the documents' own example: a skill of 0.012 in basic mode, charged 0.02."""


@dataclass(frozen=True, slots=True)
class Charge:
    """What one completed run was charged, and what is known of why."""

    mode: str
    base: float
    links: int
    used: float


def charge_of(run: Mapping[str, Any], prices: Mapping[str, float]) -> Charge | None:
    """Read a run as the service sent it; None where it does not tell, or ran skills of unknown price."""
    config = as_object(as_object(run.get("config_snapshot")).get("agent_config"))
    used, mode = run.get("quants_used"), config.get("reasoning_mode")
    skills, links = config.get("skills"), config.get("linked_trackers")
    if run.get("status") != "completed" or not isinstance(mode, str) or not isinstance(skills, list) or not skills:
        return None
    if not isinstance(used, int | float) or isinstance(used, bool):
        return None
    named = [skill for skill in cast("list[Any]", skills) if isinstance(skill, str) and skill in prices]
    if len(named) < len(cast("list[Any]", skills)):
        return None
    linked = len(cast("list[Any]", links)) if isinstance(links, list) else 0
    return Charge(mode, sum(prices[skill] for skill in named), linked, used)


def charge_findings(endpoint: str, charges: Iterable[Charge]) -> Iterator[Finding]:
    """Yield by which multipliers the runs of each mode were charged, and what a link adds."""
    known = list(charges)
    plain = [one.used - one.base for one in known if one.mode == "basic" and not one.links]
    fixed = median(plain) if plain else _EXAMPLES_FIXED_PART
    per_link = [(one.used - one.base - fixed) / one.links for one in known if one.mode == "basic" and one.links]
    link = median(per_link) if per_link else None
    fits = [(one, _fit(one, fixed, link)) for one in known]
    for mode in sorted({one.mode for one in known}):
        pages = [fit and fit.page for one, fit in fits if one.mode == mode]
        for page, number in sorted(Counter(pages).items(), key=lambda counted: (-counted[1], counted[0] or "")):
            verdict, detail = _said(mode, page)
            yield Finding(verdict, endpoint, "price", "data[].quants_used", detail, number, len(pages))
    added = [fit.rest / one.links for one, fit in fits if fit is not None and one.links]
    if added:
        each = median(added)
        if abs(each) < _TOLERANCE / 10:
            detail = "linked trackers add nothing to what a run is charged, and the documents say that each does"
            yield Finding("differs", endpoint, "price", "data[].quants_used", detail)
        else:
            detail = f"each linked tracker adds about {quants(each)} to what a run is charged"
            yield Finding("note", endpoint, "price", "data[].quants_used", detail)


@dataclass(frozen=True, slots=True)
class _Fit:
    """The multipliers that a charge fits, and what it holds beyond the skills and the fixed part."""

    page: str
    rest: float


def _fit(charge: Charge, fixed: float, link: float | None) -> _Fit | None:
    fits: list[_Fit] = []
    for sheet in MULTIPLIERS:
        if charge.mode in sheet.factors:
            rest = charge.used - charge.base * sheet.factors[charge.mode] - fixed
            beyond = rest - (link or 0.0) * charge.links
            # What a link costs may be unknown, but it is no rebate.
            if abs(beyond) <= _TOLERANCE or (charge.links and link is None and beyond > 0):
                fits.append(_Fit(sheet.page, rest))
    return min(fits, key=lambda fit: abs(fit.rest), default=None)


def _said(mode: str, page: str | None) -> tuple[Verdict, str]:
    factors = {sheet.page: sheet.factors[mode] for sheet in MULTIPLIERS if mode in sheet.factors}
    if page is None:
        known = " nor ".join(f"x {factor} of {where}" for where, factor in factors.items())
        return "differs", f"{mode} runs fit neither {known}" if known else f"{mode} has no known multiplier"
    documented = MULTIPLIERS[0]
    if factors[page] == documented.factors.get(mode):
        return "note", f"{mode} runs were charged x {factors[page]}, as {documented.page} says"
    return "differs", f"{mode} runs were charged x {factors[page]}, as {page} says"
