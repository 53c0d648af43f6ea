"""The examples of the API documents, each sent as it stands."""

import json
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

pytestmark = pytest.mark.anyio

EXAMPLES: list[dict[str, Any]] = json.loads((Path(__file__).parent / "data" / "examples.json").read_text())


def assert_same_shape(actual: Any, documented: Any, at: str = "") -> None:
    """The same keys, and values of the same types; where the example says null, anything."""
    if documented is None:
        return
    if isinstance(documented, dict):
        expected = cast("dict[str, Any]", documented)
        assert isinstance(actual, dict), at
        found = cast("dict[str, Any]", actual)
        optional = {"baseline_score", "score_adjustment_factors"}
        assert set(found) - optional == set(expected) - optional, at
        for key in expected.keys() & found.keys():
            assert_same_shape(found[key], expected[key], f"{at}.{key}")
    elif isinstance(documented, list):
        assert isinstance(actual, list), at
        if documented:
            assert actual, f"{at} is empty"
            assert_same_shape(actual[0], documented[0], f"{at}[0]")
    elif isinstance(documented, bool | str):
        assert type(actual) is type(documented), at
    else:
        assert type(actual) in (int, float), at


@pytest.mark.parametrize("example", EXAMPLES, ids=[one["request"] for one in EXAMPLES])
async def test_a_documented_request_is_answered_in_the_documented_shape(
    api: httpx.AsyncClient, example: dict[str, Any]
) -> None:
    method, path = example["request"].split()
    body = example["body"]
    if body and "sync" in body:
        body = body | {"context": {"sandbox": {"seconds": 0.05}}}
    answer = await api.request(method, path, json=body) if body else await api.request(method, path)
    assert answer.status_code == example["status"], answer.text
    assert_same_shape(answer.json(), example["response"])


async def test_the_documented_file_upload_is_answered_in_the_documented_shape(api: httpx.AsyncClient) -> None:
    json_upload = next(one for one in EXAMPLES if one["status"] == 201 and "sources" in one["request"])
    answer = await api.post(
        json_upload["request"].split()[1],
        files={"file": ("report.pdf", b"%PDF-1.7 text")},
        data={"source_name": "Q4 report"},
    )
    assert answer.status_code == 201
    assert_same_shape(answer.json(), json_upload["response"])
    assert (answer.json()["name"], answer.json()["source_type"]) == ("Q4 report", "PDF")
