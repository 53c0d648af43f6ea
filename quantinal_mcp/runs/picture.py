"""What only the picture of scores needs, and no model reads: every point with its run's id, and what moved it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from quantinal_mcp.models.common import iso_utc
from quantinal_mcp.models.runs import Run
from quantinal_mcp.models.trackers import Tracker, score_meaning, threshold
from quantinal_mcp.runs.scores import Point

PICTURE = "quantinal/scores"
"""The key of a result's `_meta` under which the picture finds it."""

_MOST_DRAWN = 500


def picture(
    series: Sequence[tuple[Tracker, Sequence[Point]]], runs: Iterable[Run], explained: Iterable[Point]
) -> dict[str, Any]:
    """Return what is drawn: each tracker's latest 500 points, and the factors of the runs behind some of them.

    A point is [ISO time, score, run id], a factor [what, impact in points, probability].
    """
    wanted = {point.run_id for point in explained}
    return {
        "series": [
            {
                "tracker_id": tracker["tracker_id"],
                "name": tracker.get("name"),
                "score_meaning": score_meaning(tracker),
                "threshold": threshold(tracker),
                "points": [[iso_utc(point.time), point.score, point.run_id] for point in points[-_MOST_DRAWN:]],
            }
            for tracker, points in series
        ],
        "factors": {
            run["run_id"]: [[one.get("factor"), one.get("impact"), one.get("probability")] for one in factors]
            for run in runs
            if run["run_id"] in wanted and (factors := (run.get("result") or {}).get("score_adjustment_factors"))
        },
    }
