"""What the check concludes from what it read: tables without I/O."""

from __future__ import annotations

from typing import Any

import pytest

from quantinal_mcp.contract.charges import Charge, charge_findings, charge_of
from quantinal_mcp.contract.comparing import Difference, differences
from quantinal_mcp.contract.lists import order_of, page_findings
from quantinal_mcp.contract.promises import Promise

OLDER, NEWER = "as the endpoint page says", "as the scoring page of v0.3 says"
PRICES = {"web": 0.012, "filings": 0.02}


@pytest.mark.parametrize(
    ("charges", "expected"),
    [
        ([Charge("advanced", 0.012, 0, 0.104)], [f"advanced runs were charged x 8, {OLDER}"]),
        ([Charge("advanced", 0.012, 0, 0.08)], [f"advanced runs were charged x 6, {NEWER}"]),
        ([Charge("zen", 0.012, 0, 0.668)], [f"zen runs were charged x 55, {NEWER}"]),
        ([Charge("zen", 0.012, 0, 2.0)], ["zen runs fit neither x 55 of the scoring page of v0.3"]),
        ([Charge("trance", 0.012, 0, 2.0)], ["trance has no known multiplier"]),
        # What basic runs were charged beyond their skills tells the fixed part.
        (
            [Charge("basic", 0.012, 0, 0.112), Charge("super", 0.012, 0, 0.46)],
            [f"basic runs were charged x 1, {OLDER}", f"super runs were charged x 30, {OLDER}"],
        ),
        # Charges rounded up to hundredths.
        (
            [Charge("basic", 0.012, 0, 0.02), Charge("advanced", 0.012, 0, 0.1)],
            [f"advanced runs were charged x 8, {OLDER}", f"basic runs were charged x 1, {OLDER}"],
        ),
        # Some runs are older than the newer multipliers.
        (
            [Charge("super", 0.012, 0, 0.368), Charge("super", 0.012, 0, 0.308), Charge("super", 0.012, 0, 0.308)],
            [f"super runs were charged x 25, {NEWER}", f"super runs were charged x 30, {OLDER}"],
        ),
        (
            [Charge("advanced", 0.024, 3, 0.212)],
            [
                f"advanced runs were charged x 8, {OLDER}",
                "each linked tracker adds about 0.004 to what a run is charged",
            ],
        ),
        (
            [Charge("basic", 0.012, 0, 0.02), Charge("basic", 0.012, 2, 0.02), Charge("super", 0.012, 2, 0.308)],
            [
                f"basic runs were charged x 1, {OLDER}",
                f"super runs were charged x 25, {NEWER}",
                "linked trackers add nothing to what a run is charged, and the documents say that each does",
            ],
        ),
        ([], []),
    ],
)
def test_the_multipliers_are_told_from_what_runs_were_charged(charges: list[Charge], expected: list[str]) -> None:
    found = list(charge_findings("GET runs", charges))
    assert [one.detail for one in found] == expected
    for one in found:
        is_note = OLDER in one.detail or "adds about" in one.detail
        assert one.verdict == ("note" if is_note else "differs")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, Charge("super", 0.032, 1, 1.5)),
        ({"status": "failed"}, None),
        ({"quants_used": None}, None),
        ({"quants_used": "1.5"}, None),
        ({"quants_used": True}, None),
        ({"config_snapshot": None}, None),
        ({"skills": []}, None),
        ({"skills": ["web", "tarot"]}, None),
        ({"skills": "web"}, None),
        ({"reasoning_mode": 3}, None),
    ],
)
def test_a_charge_is_read_only_where_all_of_it_is_known(changes: dict[str, Any], expected: Charge | None) -> None:
    config = {"skills": ["web", "filings"], "reasoning_mode": "super", "linked_trackers": ["trk_x"]}
    config |= {name: value for name, value in changes.items() if name in config}
    run = {"status": "completed", "quants_used": 1.5, "config_snapshot": {"agent_config": config}}
    run |= {name: value for name, value in changes.items() if name in run}
    assert charge_of(run, PRICES) == expected


@pytest.mark.parametrize(
    ("rows", "stated", "asked", "expected"),
    [
        (6, (1, 100, 6, 1), (1, 100), []),
        (20, (2, 100, 120, 2), (2, 100), []),
        (0, (1, 100, 0, 0), (1, 100), []),
        (0, (1, 100, 0, 1), (1, 100), []),
        (6, (1, 1, 6, 6), (1, 1), ["data"]),
        (1, (1, 1, 6, 6), (2, 1), ["pagination.page"]),
        (1, (2, 20, 6, 6), (2, 1), ["pagination.page_size"]),
        (6, (1, 100, 6, 2), (1, 100), ["pagination.total_pages"]),
        (6, (1, 100, 7, 1), (1, 100), ["pagination.total_items"]),
        (19, (2, 100, 120, 2), (2, 100), ["pagination.total_items"]),
        (6, (1, 100, None, None), (1, 100), []),
        (6, (1, 100, "6", 1), (1, 100), []),
    ],
)
def test_a_page_is_held_to_what_was_asked_for_and_to_its_own_totals(
    rows: int, stated: tuple[Any, ...], asked: tuple[int, int], expected: list[str]
) -> None:
    pagination = dict(zip(("page", "page_size", "total_items", "total_pages"), stated, strict=True))
    answer: dict[str, Any] = {"data": [{}] * rows, "pagination": pagination}
    found = page_findings("GET things", answer, page=asked[0], size=asked[1])
    assert [one.field for one in found] == expected


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        (["3", "2", "1"], "newest first"),
        (["1", "2", "2", "3"], "oldest first"),
        (["1", "3", "2"], "in no order"),
        (["3", None, "2", "1"], "newest first"),
        (["2", "2", "1"], None),
        ([], None),
    ],
)
def test_an_order_is_told_from_three_times_or_more(times: list[str | None], expected: str | None) -> None:
    assert order_of([{"at": time} for time in times], "at") == expected


TIME = Promise(kind="time")
WORD = Promise(kind="text", words=("json", "text"))
ID = Promise(kind="text", prefix="")
UUID = "b4c5d6e7-8f9a-4b0c-1d2e-3f4a5b6c7d8e"


@pytest.mark.parametrize(
    ("value", "promise", "expected"),
    [
        ("2026-02-18T10:30:00Z", TIME, None),
        ("2026-02-18T10:30:00.5Z", TIME, "with fractions of a second"),
        ("2026-02-18T10:30:00+02:00", TIME, "with another offset than Z"),
        ("2026-02-18T10:30:00", TIME, "without an offset"),
        ("2026-02-18T10:30Z", TIME, "without seconds"),
        ("yesterday", TIME, "no ISO 8601 time"),
        (1771410600, TIME, "a whole number where a time is promised"),
        ("json", WORD, None),
        ("csv", WORD, "none of json, text: csv"),
        ("what Anna said", WORD, "none of json, text: (not shown)"),
        (UUID, ID, None),
        ("abc123", ID, "an id of another form than a UUID: 6 characters"),
        (f"src_{UUID}", ID, "an id of another form than a UUID: 40 characters"),
        (True, Promise(kind="integer"), "true or false where a whole number is promised"),
        (2.5, Promise(kind="integer"), "a number with a fraction where a whole number is promised"),
        (2, Promise(kind="number"), None),
        (-1, Promise(kind="number", low=0), "a number below 0"),
        (None, Promise(kind="text", nullable=True), None),
        (None, Promise(kind="anything"), None),
        ([1], Promise(kind="anything"), None),
    ],
)
def test_a_value_is_held_to_its_promise(value: Any, promise: Promise, expected: str | None) -> None:
    found: list[Difference] = list(differences(value, promise))
    assert len(found) == (expected is not None)
    for one in found:
        assert one.detail.endswith(expected or "")
