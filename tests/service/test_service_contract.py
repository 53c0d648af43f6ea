"""`quantinal-mcp check --contract`: what it says of each service the sandbox plays, and of one that has moved on."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import anyio
import httpx
import pytest

from help.command import command
from help.seeded import SERVICES, TOKEN, Json
from quantinal_mcp.client import Http
from quantinal_mcp.contract.findings import Finding
from quantinal_mcp.contract.reading import Reading
from quantinal_mcp.errors import QuantinalError
from quantinal_mcp.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio

FOLDER = Path(__file__).parent
Change = Callable[[Json], None]


class Moved(httpx.AsyncBaseTransport):
    """The way to a service that has moved on: what matches `path` is answered with a change."""

    def __init__(
        self,
        sandbox: Sandbox,
        path: str = "",
        change: Change | None = None,
        unasked: str = "",
        headers: dict[str, str] | None = None,
    ) -> None:
        self._way = sandbox.transport()
        self._path = re.compile(path)
        self._change = change
        self._unasked = unasked
        self._headers = headers or {}
        self.texts: set[str] = set()
        """Every text that any answer held."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self._unasked:
            request.url = request.url.copy_remove_param(self._unasked)
        answer = await self._way.handle_async_request(request)
        body = json.loads(await answer.aread())
        if self._change is not None and self._path.search(request.url.path):
            self._change(body)
        self.texts |= set(texts_in(body))
        return httpx.Response(answer.status_code, headers=self._headers, json=body)


def texts_in(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for one in cast("Json", value).values():
            yield from texts_in(one)
    elif isinstance(value, list):
        for one in cast("list[Any]", value):
            yield from texts_in(one)
    elif isinstance(value, str):
        yield value


def every(change: Change) -> Change:
    """The change of each row of a list."""

    def changed(body: Json) -> None:
        for row in body["data"]:
            change(row)

    return changed


def of_result(run: Json) -> Json:
    return run["result"] or {}


async def found(way: httpx.AsyncBaseTransport) -> list[Finding]:
    http = Http("http://sandbox/v1", way)
    try:
        reading = Reading(http, TOKEN)
        await reading.look()
    finally:
        await http.aclose()
    return reading.findings()


async def lines(way: httpx.AsyncBaseTransport) -> list[str]:
    return [str(one) for one in await found(way)]


async def check(*arguments: str, **environ: str) -> tuple[int, str]:
    done = await anyio.run_process(
        command("check", "--contract", *arguments), env={**os.environ, **environ}, check=False
    )
    assert done.stderr == b""
    return done.returncode, done.stdout.decode()


@pytest.mark.parametrize("service", SERVICES)
async def test_the_report_on_each_service_is_as_its_snapshot_says(service: str) -> None:
    sandbox = Sandbox(service=service)
    async with sandbox.serve() as base_url:
        status, text = await check(QUANTINAL_BASE_URL=base_url, QUANTINAL_API_TOKEN=TOKEN)
    file = FOLDER / f"{service}.txt"
    if os.environ.get("UPDATE_CONTRACT"):
        file.write_text(text, "utf-8")
    assert status == 0
    assert text == file.read_text("utf-8"), "if that is meant, run these tests with UPDATE_CONTRACT=1"
    assert {one.method for one in sandbox.requests} == {"GET"}


async def test_as_json_it_says_the_same() -> None:
    status, text = await check("--sandbox", "--json")
    told = json.loads(text)
    assert (status, told["looked"]) == (0, True)
    written = (FOLDER / "documented.txt").read_text("utf-8").splitlines()
    assert [str(Finding(**one)) for one in told["findings"]] == written[:-1]
    assert written[-1].startswith(f"{told['answers']} answers read")


@pytest.mark.parametrize("as_json", [False, True])
async def test_it_fails_only_where_it_could_not_look(as_json: bool) -> None:
    flags = ["--json"] if as_json else []
    async with Sandbox().serve() as base_url:
        host = {"QUANTINAL_BASE_URL": base_url}
        settings: list[tuple[dict[str, str], str]] = [
            (host, "[no_token]"),
            ({**host, "QUANTINAL_API_TOKEN": "qapi_other"}, "[unauthorized]"),
            ({**host, "QUANTINAL_PORT": "x"}, "QUANTINAL_PORT"),
        ]
        for environ, why in settings:
            status, text = await check(*flags, **environ)
            assert (status, why in text) == (1, True)
            assert json.loads(text)["looked"] is False if as_json else text.startswith("FAIL  ")


RUNS = r"/runs$"
TRACKERS = r"/trackers$"

MOVED: list[tuple[str, Change, list[str]]] = [
    (
        RUNS,
        every(lambda run: of_result(run).update(rating=of_result(run).pop("score", 0))),
        [
            "data[].result.score: promised, and not sent (118 of 118)",
            "data[].result.rating: sent, and not documented (a whole number) (118 of 118)",
        ],
    ),
    (
        RUNS,
        every(lambda run: run.update(quants_used=str(run["quants_used"]))),
        ["data[].quants_used: a text where a number is promised"],
    ),
    (
        RUNS,
        every(lambda run: run.update(space_id="spc_abc123")),
        ["form than spc_ and a UUID: spc_ and 6 characters"],
    ),
    (
        RUNS,
        every(lambda run: run.update(started_at=run["started_at"].replace("Z", ".123+00:00"))),
        ["a time of another form than 2026-02-18T10:30:00Z: with fractions of a second, with another offset than Z"],
    ),
    (RUNS, every(lambda run: run.update(error_message={})), ["error_message: an object where a text is promised"]),
    (RUNS, every(lambda run: run.update(tracker_id=None)), ["data[].tracker_id: null where a text is promised"]),
    (
        RUNS,
        every(lambda run: run.update(quants_used=run["quants_used"] * 3)),
        ["super runs fit neither x 30 of the endpoint page nor x 25 of the scoring page of v0.3 (8 of 8)"],
    ),
    (
        RUNS,
        every(lambda run: of_result(run).update(score=101)),
        ["data[].result.score: a number outside 0 to 100"],
    ),
    (
        r"/skills$",
        every(lambda skill: skill.update(status="beta")),
        ["GET /api/skills data[].status: none of active, disabled: beta (6 of 6)"],
    ),
    (
        r"/skills$",
        every(lambda skill: skill.update(status="Not a word, but a sentence.")),
        ["GET /api/skills data[].status: none of active, disabled: (not shown) (6 of 6)"],
    ),
    (
        TRACKERS,
        every(lambda tracker: tracker.update({"Aurora's own": 1})),
        ["data[].(a name that is not shown): sent, and not documented (a whole number) (10 of 10)"],
    ),
    (
        TRACKERS,
        lambda body: body["pagination"].update(total_items=body["pagination"]["total_items"] + 1),
        ["pagination.total_items: page 1 of 100 has 6 rows, by its totals 7"],
    ),
    (
        TRACKERS,
        lambda body: body["pagination"].update(total_pages=9),
        ["pagination.total_pages: 9 pages of 100 are stated for 6 items"],
    ),
    (TRACKERS, lambda body: body.pop("pagination"), ["GET /api/trackers pagination: promised, and not sent"]),
    (
        r"/vault/recent$",
        lambda body: body["results"].reverse(),
        ["GET /api/trackers/{tracker_id}/vault/recent results: not newest first by created_at, as is promised"],
    ),
    (
        r"/vault$",
        lambda body: body.update(total_sources=1.5),
        ["total_sources: a number with a fraction where"],
    ),
    (r"/spaces/", lambda body: body.pop("is_active"), ["GET /api/spaces/{space_id} is_active: promised, and not sent"]),
]


@pytest.mark.parametrize(("path", "change", "expected"), MOVED, ids=[one[2][0][:60] for one in MOVED])
async def test_what_has_moved_is_reported_and_nothing_of_the_content(
    path: str, change: Change, expected: list[str]
) -> None:
    way = Moved(Sandbox(), path, change)
    report = await lines(way)
    for line in expected:
        assert any(one.startswith("differs") and line in one for one in report), "\n".join(report)
    shown = "\n".join(report)
    vocabulary = re.compile(r"[A-Za-z_]{1,20}")
    content = {text for text in way.texts if not vocabulary.fullmatch(text)}
    assert len(content) > 300
    assert not [text for text in content if text in shown]


@pytest.mark.parametrize(
    ("unasked", "expected"),
    [
        ("page_size", "page_size=1 is ignored: 3 rows"),
        ("page_size", "pagination.page_size: page_size=100 was asked for and 20 is stated"),
        ("page", "page is ignored: a later page is the first one again"),
    ],
)
async def test_a_page_that_is_not_what_was_asked_for_is_reported(unasked: str, expected: str) -> None:
    report = await lines(Moved(Sandbox(), unasked=unasked))
    assert any(one.startswith("differs") and expected in one for one in report), "\n".join(report)


async def test_rate_limit_headers_and_an_unordered_list_are_told_as_what_they_are() -> None:
    sandbox = Sandbox(shuffle_lists=True)
    report = await lines(Moved(sandbox, headers={"X-RateLimit-Remaining": "17", "X-Served-By": "cache-1"}))
    assert "note     every answer: x-ratelimit-remaining is sent" in report
    assert not any("served-by" in one for one in report)
    assert any(one.startswith("note") and "/runs data: in no order by started_at" in one for one in report)


async def test_what_cannot_be_read_is_said_without_the_services_words_and_the_rest_goes_on() -> None:
    sandbox = Sandbox(skills_forbidden=True)
    sandbox.faults.add(Fault("GET", "/vault$", "status", None, code=404, body='{"detail": "no vault of Tesla"}'))
    report = await lines(sandbox.transport())
    assert "unread   GET /api/skills: [forbidden], HTTP 403" in report
    assert "unread   GET /api/trackers/{tracker_id}/vault: [not_found], HTTP 404" in report
    assert not any("charged" in one or "Tesla" in one for one in report)
    assert any("/runs data: newest first" in one for one in report)


async def test_an_empty_account_leaves_little_to_look_at() -> None:
    sandbox = Sandbox()
    sandbox.world.account().spaces.clear()
    report = await lines(sandbox.transport())
    assert "unread   GET /api/spaces/{space_id}: the account has none to look at" in report
    assert not any(one.startswith("differs") for one in report)


@pytest.mark.parametrize("body", ["[]", '"text"', '{"data": "x"}', '{"data": [1, null, {}]}'])
@pytest.mark.parametrize(
    "path", ["/spaces$", "/spaces/", "/trackers$", "/trackers/[^/]*$", "/runs$", "/recent$", "/sources$", "/skills$"]
)
async def test_no_answer_is_too_strange_to_report(path: str, body: str) -> None:
    sandbox = Sandbox()
    sandbox.faults.add(Fault("GET", path, "status", None, code=200, body=body))
    report = await found(sandbox.transport())
    assert any(one.verdict == "differs" for one in report)


async def test_an_account_that_answers_nothing_is_a_failure_and_no_report() -> None:
    sandbox = Sandbox()
    sandbox.faults.add(Fault("GET", "/spaces", "status", None, code=403))
    with pytest.raises(QuantinalError):
        await found(sandbox.transport())
