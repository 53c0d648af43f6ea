from __future__ import annotations

from typing import Any

import pytest

from quantinal_mcp.errors import RequestTimeout
from quantinal_mcp.models.runs import Run
from quantinal_mcp.money.budget import Reservation
from quantinal_mcp.money.cost import Estimate
from quantinal_mcp.runs.matching import Ticket, assign, could_be

pytestmark = pytest.mark.anyio


def ticket(*before: str, sync: bool = True, lost: bool = True) -> Ticket:
    made = Ticket("trk_1", sync, frozenset(before), Reservation(0.02), Estimate(0.02, 0.02, ""), None, 0.0)
    if lost:
        made.lost = RequestTimeout("")
        made.settled.set()
    return made


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
async def test_a_run_can_be_ours_if_it_is_new_and_not_marked_as_somebody_elses(run: Run, fits: bool) -> None:
    assert could_be(run, ticket("run_old")) is fits


async def test_one_lost_sync_trigger_and_one_marked_run_are_a_certain_match() -> None:
    lost = ticket("run_old")
    assert assign([lost], [], [listed("run_old"), listed("run_new")], frozenset()) == {
        lost: (listed("run_new"), "certain")
    }


@pytest.mark.parametrize(
    ("sync", "run"),
    [
        (False, listed("run_new", sync=False)),
        (True, listed("run_new", None, None)),
        (True, listed("run_new", "api")),
    ],
)
async def test_without_marks_of_our_own_a_match_is_likely(sync: bool, run: Run) -> None:
    lost = ticket(sync=sync)
    assert assign([lost], [], [run], frozenset())[lost][1] == "likely"


async def test_among_several_new_runs_a_match_is_likely_and_prefers_our_marks() -> None:
    lost = ticket()
    runs = [listed("run_a", None, None), listed("run_b")]
    run, match = assign([lost], [], runs, frozenset())[lost]
    assert (run["run_id"], match) == ("run_b", "likely")


async def test_lost_triggers_get_a_run_each_whatever_their_snapshots() -> None:
    early, late = ticket("run_0"), ticket("run_0", "run_1")
    for lost in ([early, late], [late, early]):
        given = assign(lost, [], [listed("run_2"), listed("run_1"), listed("run_0")], frozenset())
        assert given[early][0]["run_id"] == "run_1"
        assert given[late][0]["run_id"] == "run_2"


async def test_a_run_that_a_trigger_in_flight_may_claim_is_left_alone() -> None:
    lost, in_flight = ticket(), ticket(lost=False)
    assert assign([lost], [in_flight], [listed("run_1"), listed("run_2")], frozenset()) == {}


async def test_a_run_listed_before_the_trigger_in_flight_was_sent_is_free() -> None:
    lost, in_flight = ticket(), ticket("run_1", lost=False)
    given = assign([lost], [in_flight], [listed("run_1"), listed("run_2")], frozenset())
    assert given[lost][0]["run_id"] == "run_1"


async def test_a_claimed_run_is_not_given_away() -> None:
    assert assign([ticket()], [], [listed("run_1")], frozenset({"run_1"})) == {}
