"""How a run's score becomes a result that reads well."""

import random
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a tracker's subject, `days_ago` before the sandbox's start."""

    days_ago: float
    factor: str
    note: str
    impact: int


@dataclass(frozen=True, slots=True)
class Voice:
    """What a tracker talks about, and in which words."""

    subject: str
    scale: tuple[str, str, str, str, str]
    """Words for a score of 0-19, 20-39, 40-59, 60-79 and 80-100."""
    quiet: tuple[str, ...]
    """What is said when nothing in particular happened lately."""
    events: tuple[Event, ...] = ()
    background: tuple[tuple[str, int], ...] = (("Macro uncertainty", -6), ("Broader momentum", 4))


def plain_voice(name: str, score_meaning: str) -> Voice:
    """A voice for a tracker of which nothing but its configuration is known."""
    return Voice(
        subject=f"{score_meaning} for {name}",
        scale=("very low", "low", "mixed", "fairly high", "very high"),
        quiet=(
            "Coverage was thin and no single item moved the reading",
            "Several sources agree, though most of them repeat the same announcement",
            "Early signals all point the same way",
        ),
    )


def tell(voice: Voice, score: int, previous: int | None, age_days: float, rng: random.Random) -> dict[str, Any]:
    """The result of a run of that score, `age_days` before the sandbox's start."""
    event = next((e for e in voice.events if 0 <= e.days_ago - age_days <= 14), None)
    # After some days an event is mentioned now and then only.
    if event and event.days_ago - age_days > 6 and rng.random() < 0.6:
        event = None
    factor, impact = voice.background[rng.randrange(len(voice.background))]
    factors: list[dict[str, Any]] = [{"factor": factor, "impact": impact, "probability": 0.4}]
    note = voice.quiet[rng.randrange(len(voice.quiet))]
    if event:
        note = event.note
        factors.insert(0, {"factor": event.factor, "impact": event.impact, "probability": 0.7})
    shift = sum(part["impact"] * part["probability"] for part in factors)
    word = voice.scale[min(score // 20, 4)]
    return {
        "score": score,
        "insight": f"{voice.subject} is {word}. {note}{_movement(score, previous)}.",
        "baseline_score": max(0, min(100, round(score - shift))),
        "score_adjustment_factors": factors,
    }


def _movement(score: int, previous: int | None) -> str:
    if previous is None or abs(score - previous) < 3:
        return ""
    direction = "up" if score > previous else "down"
    return f"; the score is {direction} {abs(score - previous)} points since the previous run"
