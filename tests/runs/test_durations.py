from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantinal_mcp.models.runs import Run
from quantinal_mcp.runs.durations import duration, likely, pause, spell, typical


@given(st.floats(0, 10_000), st.floats(0.1, 5_000))
def test_an_end_is_noticed_within_a_tenth_of_the_runs_length_or_two_seconds(age: float, expected: float) -> None:
    assert 2 <= pause(age, expected) <= max(2, 0.1 * age)


@pytest.mark.parametrize("expected", [1.0, 45.0, 300.0, 900.0, 2400.0, 5000.0])
def test_a_forty_minute_run_costs_fewer_than_sixty_five_polls(expected: float) -> None:
    age, polls = 0.0, 0
    while age < 2400:
        age += pause(age, expected)
        polls += 1
    assert polls < 65


def test_a_basic_run_is_looked_at_more_often_around_its_expected_end() -> None:
    assert pause(100, expected=96) == 8
    assert pause(100, expected=1000) == 10
    assert pause(200, expected=96) == 20


@pytest.mark.parametrize(
    ("run", "seconds"),
    [
        ({"execution_time_seconds": 45.2}, 45.2),
        ({"started_at": "2026-02-18T10:00:00Z", "completed_at": "2026-02-18T10:00:32Z"}, 32),
        ({"started_at": "2026-02-18T10:00:32Z", "completed_at": "2026-02-18T10:00:00Z"}, 0),
        ({"started_at": "2026-02-18T10:00:00Z"}, None),
        ({"started_at": "soon", "completed_at": "later"}, None),
        ({"started_at": "2026-02-18T10:00:00", "completed_at": "2026-02-18T10:00:32Z"}, None),
    ],
)
def test_how_long_a_run_took_is_read_where_it_says(run: Run, seconds: float | None) -> None:
    assert duration(run) == seconds


def test_the_typical_duration_is_the_median_of_completed_runs_in_the_same_mode() -> None:
    def run(seconds: float, mode: str, status: str = "completed") -> Run:
        made: Run = {"run_id": "run_1", "status": status, "execution_time_seconds": seconds}
        made["config_snapshot"] = {"agent_config": {"reasoning_mode": mode}}
        return made

    runs = [run(10, "basic"), run(20, "basic"), run(90, "basic"), run(1, "basic", "failed"), run(500, "advanced")]
    assert typical(runs, "basic") == 20
    assert typical(runs, "super") is None


@pytest.mark.parametrize("silent", [{}, {"config_snapshot": None}, {"config_snapshot": {"agent_config": {}}}])
def test_a_run_that_does_not_say_its_mode_counts_as_a_basic_one(silent: Any) -> None:
    run: Any = {"run_id": "run_1", "status": "completed", "execution_time_seconds": 20, **silent}
    assert typical([run], "basic") == 20


def test_an_unknown_mode_is_expected_to_take_as_long_as_the_longest() -> None:
    assert likely("trance") == likely("zen") == 3600


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.4, "59 s"), (60, "1 min"), (130, "2 min 10 s"), (2400, "40 min"), (3900, "1 h 5 min")],
)
def test_durations_are_said_as_a_person_says_them(seconds: float, text: str) -> None:
    assert spell(seconds) == text
