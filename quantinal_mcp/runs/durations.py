"""How long runs take, and how often to look: decisions without I/O. Everything is in seconds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from statistics import median

from quantinal_mcp.models.runs import Run

_LIKELY: Mapping[str, float] = {"basic": 120, "advanced": 600, "super": 1800, "zen": 3600}
"""Where no past run tells; the documents say up to several minutes, 15, 40, and a newer page 60."""

_SHORTEST_PAUSE = 2.0
_SHARE_OF_AGE = 0.1
_SHARE_OF_EXPECTED = 1 / 12


def pause(age: float, expected: float) -> float:
    """Return the pause before the next poll of a run that is `age` old and likely to take `expected`.

    Never more than a tenth of its age (nor less than 2 s), so that its end is noticed within a tenth of its
    length; and finer than that around the time at which it is expected to end. A 40-minute run takes about 60 polls.
    """
    longest = max(_SHORTEST_PAUSE, _SHARE_OF_AGE * age)
    if age <= 1.25 * expected:
        return max(_SHORTEST_PAUSE, min(longest, _SHARE_OF_EXPECTED * expected))
    return longest


def duration(run: Run) -> float | None:
    """How long a finished run took, where it says."""
    seconds = run.get("execution_time_seconds")
    if seconds is not None:
        return seconds
    try:
        started = datetime.fromisoformat(run.get("started_at") or "")
        completed = datetime.fromisoformat(run.get("completed_at") or "")
        return max(0.0, (completed - started).total_seconds())
    except (ValueError, TypeError):
        return None


def typical(past: Iterable[Run], reasoning_mode: str) -> float | None:
    """Return the median duration of completed runs in this reasoning mode, or None where there is none."""
    known = [
        seconds
        for run in past
        if run["status"] == "completed" and mode_of(run) == reasoning_mode and (seconds := duration(run)) is not None
    ]
    return median(known) if known else None


def likely(reasoning_mode: str) -> float:
    """How long a run of this reasoning mode may take where no past run tells; of an unknown one, as the longest."""
    return _LIKELY.get(reasoning_mode, max(_LIKELY.values()))


def mode_of(run: Run) -> str:
    """Return the reasoning mode a run was started with; basic where it does not say."""
    config = (run.get("config_snapshot") or {}).get("agent_config") or {}
    return config.get("reasoning_mode") or "basic"


def spell(seconds: float) -> str:
    """Return `seconds` as a person says it: 45 s, 2 min 10 s, 40 min, 1 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"
