from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from quantinal_mcp.journal.records import DAY_SECONDS, Intent, Snapshot
from quantinal_mcp.models.runs import Run
from quantinal_mcp.runs.repeats import UNREAD_SECONDS, earlier, unfinished

NOW = 1_000_000.0
OPEN = Intent(
    intent_id="a",
    account="",
    tracker_id="trk_1",
    sync=False,
    begun_at=NOW - 60,
    before=Snapshot.of(()),
    reserved=0.02,
    sender="w",
    owner=None,
)
KNOWN = replace(OPEN, state="known", run_id="run_1")
ANSWERED = replace(KNOWN, answered_at=NOW - 60)


@pytest.mark.parametrize(
    ("intent", "holds"),
    [
        (OPEN, True),
        (replace(OPEN, owner="w"), True),
        (replace(OPEN, state="lost"), True),
        (KNOWN, True),
        (replace(KNOWN, run_id="run_named"), False),
        (replace(OPEN, begun_at=NOW - DAY_SECONDS + 1), True),
        (replace(OPEN, begun_at=NOW - DAY_SECONDS - 1), False),
        (ANSWERED, True),
        (replace(ANSWERED, answered_at=NOW - UNREAD_SECONDS + 1), True),
        (replace(ANSWERED, answered_at=NOW - UNREAD_SECONDS), False),
        (replace(ANSWERED, run_id="run_named"), False),
        (replace(ANSWERED, run_id="run_named", answered_at=NOW - 30), False),
        (replace(ANSWERED, run_id="run_named", answered_at=NOW - 29), True),
        (replace(ANSWERED, answered_at=NOW + DAY_SECONDS), True),
        (replace(OPEN, state="refused"), False),
        (replace(OPEN, state="given_up"), False),
    ],
)
def test_a_plain_call_repeats_what_nobody_has_learnt_for_sure(intent: Intent, holds: bool) -> None:
    assert (earlier([intent], NOW, {"run_named": NOW - 30}) is intent) is holds


@pytest.mark.parametrize(
    ("intents", "first"),
    [
        ([ANSWERED, OPEN], OPEN),
        ([replace(OPEN, intent_id="b", owner="w"), OPEN], OPEN),
        ([replace(OPEN, intent_id="b", begun_at=NOW - 90), OPEN], replace(OPEN, intent_id="b", begun_at=NOW - 90)),
        ([replace(ANSWERED, intent_id="b"), ANSWERED], ANSWERED),
        ([], None),
    ],
)
def test_what_nobody_works_on_comes_first_and_the_latest_answer_last(
    intents: list[Intent], first: Intent | None
) -> None:
    assert earlier(intents, NOW, {}) == first


def listed(status: str, trigger_type: str | None) -> Any:
    return {"run_id": "run_1", "status": status, "config_snapshot": {"trigger_type": trigger_type}}


@pytest.mark.parametrize(
    ("run", "holds"),
    [
        (listed("pending", "manual"), True),
        (listed("running", "api"), True),
        (listed("running", None), True),
        ({"run_id": "run_1", "status": "pending"}, True),
        (listed("running", "scheduled"), False),
        (listed("completed", "manual"), False),
        (listed("failed", "manual"), False),
    ],
)
def test_a_run_begun_by_hand_holds_another_off_until_it_has_ended(run: Run, holds: bool) -> None:
    assert (unfinished([run]) == [run]) is holds
