"""Answers of the tools that tell scores, made up in their agreed shape."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from math import sin
from typing import Any

from help.seeded import Json

END = datetime(2026, 11, 25, 9, 30, tzinfo=UTC)
HOSTILE = '<img src=x onerror="alert(1)">\u202e\u2066</script><b>bold</b> ' + "W" * 200
FACTORS = [["Negative analyst revisions", -10, 0.6], ["Macro uncertainty", -6, 0.4], ["Earnings momentum", 4, 0.7]]


def course(count: int, *, days: float = 90, low: int | None = None) -> list[list[Any]]:
    """Points of a wavy course that ends at END: time, score, run id; a lonely low one amid them if wanted."""
    points: list[list[Any]] = []
    for place in range(count):
        time = END - timedelta(days=days * (count - 1 - place) / max(count - 1, 1))
        score = round(65 + 12 * sin(place / 3) + 5 * sin(place * 1.7))
        points.append([time.isoformat(), score, f"run_{place:04d}"])
    if low is not None:
        points[count // 2][1] = low
    return points


def history(points: list[list[Any]], *, total: int | None = None, shown: int = 500, **changes: Any) -> Json:
    """What `get_score_history` answers for these points, of which it shows the model the latest, by the minute."""
    scores = [point[1] for point in points]
    mean = sum(scores) / len(scores) if scores else 0
    said: Json = {
        "name": "Tesla Sentiment",
        "score_meaning": "How bullish the market is on Tesla: 0 very bearish, 100 very bullish",
        "threshold": 40,
        "points": [[_minute(time), score] for time, score, _ in points[-shown:]],
        "points_total": total or len(points),
        "points_shown": len(points[-shown:]),
        "statistics": {"failed_runs": 2},
        "outstanding": [
            {"time": _minute(time), "score": score, "run_id": run}
            for time, score, run in points
            if abs(score - mean) > 30
        ],
        "next_step": "trigger_run(tracker_id=trk_1)",
        **changes,
    }
    if points:
        said["latest_run_id"] = points[-1][2]
        said["statistics"] |= {
            "latest": scores[-1],
            "mean": round(mean, 2),
            "minimum": min(scores),
            "maximum": max(scores),
        }
    if len(points) > 1:
        said["statistics"] |= {
            "change": scores[-1] - scores[-2],
            "change_over_period": scores[-1] - scores[0],
            "trend_per_day": -0.043,
        }
    series = {key: said[key] for key in ("name", "score_meaning", "threshold")}
    only_the_picture = {
        "series": [{"tracker_id": "trk_1", **series, "points": points}],
        "factors": {point[2]: FACTORS for point in points},
    }
    return result(said, only_the_picture)


def comparison(count: int, *, points: int = 30) -> Json:
    """What `compare_scores` answers for so many trackers."""
    names = ["Tesla Sentiment", "Nvidia Sentiment", "Fear and greed of the whole crypto market", *"DEFGHIJ"][:count]
    series = [
        {
            "tracker_id": f"trk_{place}",
            "name": name,
            "score_meaning": "Mood",
            "threshold": None,
            "points": [
                [time, max(score - 6 * place, 0), f"{run}_{place}"]
                for time, score, run in course(points)[: points - 3 * (place % 3)]
            ],
        }
        for place, name in enumerate(names)
    ]
    pairs: list[Json] = [
        {"a": f"trk_{one}", "b": f"trk_{other}", "common_days": 27, "r_levels": 0.39, "r_changes": -0.08}
        for one in range(count)
        for other in range(one + 1, count)
    ]
    pairs[-1] |= {"common_days": 4, "note": "Only 4 days are common, too few to say."}
    factors = {f"run_{points - 1:04d}_0": FACTORS}
    trackers = [{key: one[key] for key in ("tracker_id", "name", "score_meaning")} for one in series]
    return result({"trackers": trackers, "pairs": pairs}, {"series": series, "factors": factors})


def _minute(time: str) -> str:
    return time[:16] + "Z"


def result(said: Json, only_the_picture: Json) -> Json:
    """A tool's result with what the picture alone gets."""
    return {
        "content": [{"type": "text", "text": json.dumps(said)}],
        "structuredContent": said,
        "_meta": {"quantinal/scores": only_the_picture},
    }


def failure(text: str) -> Json:
    """A tool's error."""
    return {"isError": True, "content": [{"type": "text", "text": text}]}


STATES: dict[str, Json | None] = {
    "waiting": None,
    "history": history(course(40, low=12)),
    "many": history(course(500, days=400), total=900),
    "one": history(course(1)),
    "empty": history([]),
    "alarm": history(course(12), threshold=90),
    "failed": failure("[timeout] No answer in time."),
    "comparison": comparison(4),
    "figures alone": {key: value for key, value in comparison(4).items() if key != "_meta"},
}
"""What the picture may be shown: an answer of each kind, or none yet."""
