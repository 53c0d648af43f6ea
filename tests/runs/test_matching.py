from __future__ import annotations

from typing import Any

import pytest

from quantinal_mcp.journal.records import Intent, Snapshot
from quantinal_mcp.models.runs import Run
from quantinal_mcp.runs.matching import assign, could_be


def intent(*before: str, sync: bool = True, lost: bool = True, name: str = "a") -> Intent:
    return Intent(
        intent_id=name,
        account="",
        tracker_id="trk_1",
        sync=sync,
        begun_at=0.0,
        before=Snapshot.of(before),
        reserved=0.02,
        sender="",
        owner=None,
        state="lost" if lost else "sent",
    )


def listed(run_id: str, trigger_type: str | None = "manual", sync: bool | None = True, **more: Any) -> Run:
    marks: dict[str, Any] = {"trigger_type": trigger_type, "sync": sync}
    return {"run_id": run_id, "status": "running", "config_snapshot": marks, **more}  # pyright: ignore[reportReturnType]


@pytest.mark.parametrize(
    ("run", "fits"),
    [
        (listed("run_new"), True),
        (listed("run_old"), False),
        (listed("run_new", "scheduled"), False),
        (listed("run_new", "SCHEDULE"), False),
        (listed("run_new", sync=False), False),
        (listed("run_new", None, None), True),
        (listed("run_new", "api"), True),
        ({"run_id": "run_new", "status": "pending", "config_snapshot": None}, True),
    ],
)
def test_a_run_can_be_ours_if_it_is_new_and_not_marked_as_somebody_elses(run: Run, fits: bool) -> None:
    assert could_be(run, intent("run_old")) is fits


def test_among_several_new_runs_one_with_our_marks_is_preferred() -> None:
    runs = [listed("run_a", None, None), listed("run_b")]
    assert assign([intent()], [], runs, ())["a"]["run_id"] == "run_b"


def test_lost_triggers_get_a_run_each_whatever_their_snapshots() -> None:
    early, late = intent("run_0", name="early"), intent("run_0", "run_1", name="late")
    for lost in ([early, late], [late, early]):
        given = assign(lost, [], [listed("run_2"), listed("run_1"), listed("run_0")], ())
        assert (given["early"]["run_id"], given["late"]["run_id"]) == ("run_1", "run_2")


def test_a_run_that_a_trigger_in_flight_may_claim_is_left_alone() -> None:
    assert assign([intent()], [intent(lost=False)], [listed("run_1"), listed("run_2")], ()) == {}


def test_a_run_listed_before_the_trigger_in_flight_was_sent_is_free() -> None:
    given = assign([intent()], [intent("run_1", lost=False)], [listed("run_1"), listed("run_2")], ())
    assert given["a"]["run_id"] == "run_1"


def test_a_claimed_run_is_not_given_away() -> None:
    assert assign([intent()], [], [listed("run_1")], {"run_1"}) == {}
