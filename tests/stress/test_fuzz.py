"""Arguments of every kind: nothing crashes, and nothing that is let through is refused by the service as invalid."""

from __future__ import annotations

import json
from typing import Any

import pytest
import trio
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from mcp_types import CallToolResult
from trio.testing import MockClock

from help.callers import client_of, text_of
from help.seeded import SPACE, TESLA
from quantinal_mcp.protocol.offers import build
from quantinal_mcp.sandbox import Sandbox
from quantinal_mcp.server import OFFERS

pytestmark = pytest.mark.slow

CODES = (
    "[invalid_request]",
    "[not_found]",
    "[conflict]",
    "[needs_consent]",
    "[insufficient_quants]",
    "[rate_limited]",
    "[forbidden]",
)
SCHEMAS = {offer.function.__name__: build(offer).parameters for offer in OFFERS}

many = settings(
    max_examples=12,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate, Phase.target],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
anything: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)


def values(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Whatever one of our flat schemas allows; a format is a narrowing that a schema does not enforce."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "anyOf" in schema:
        return st.one_of(*(values(arm) for arm in schema["anyOf"]))
    least, most = schema.get("minimum"), schema.get("maximum")
    if schema.get("format") == "date-time":
        return st.datetimes(timezones=st.timezones()).map(lambda time: time.isoformat()) | st.just("yesterday")
    if "pattern" in schema:
        return st.from_regex(str(schema["pattern"]), fullmatch=True)
    kind = schema.get("type")
    if kind == "string":
        return st.text(min_size=schema.get("minLength", 0), max_size=min(schema.get("maxLength", 60), 60))
    if kind == "integer":
        return st.integers(least, most)
    if kind == "number":
        return st.floats(least, most, allow_nan=False, allow_infinity=False)
    if kind == "array":
        return st.lists(values(schema.get("items", {})), max_size=min(schema.get("maxItems", 3), 3))
    if kind == "object" and "properties" in schema:
        return objects(schema)
    if kind == "object":
        return st.dictionaries(st.text(max_size=8), anything, max_size=4)
    return st.booleans() if kind == "boolean" else anything


def objects(schema: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with every required property and any of the others."""
    properties = {name: values(item) for name, item in schema.get("properties", {}).items()}
    required = {name: properties.pop(name) for name in schema.get("required", ())}
    return st.fixed_dictionaries(required, optional=properties)


def check(result: CallToolResult, sandbox: Sandbox) -> None:
    text = text_of(result)
    if result.is_error:
        assert text.startswith(CODES), text
        assert "Traceback" not in text
        assert "pydantic" not in text
    else:
        assert json.loads(text) == result.structured_content
    assert [request for request in sandbox.requests if request.status == 422] == []


async def call(tool: str, arguments: dict[str, Any]) -> None:
    sandbox = Sandbox(rate_limits=False)
    async with client_of(sandbox, wait_seconds=1) as client:
        check(await client.call_tool(tool, arguments), sandbox)


def play(tool: str, arguments: dict[str, Any]) -> None:
    trio.run(call, tool, arguments, clock=MockClock(autojump_threshold=0))


@pytest.mark.parametrize("tool", SCHEMAS)
def test_a_tool_survives_any_arguments_that_its_schema_allows(tool: str) -> None:
    real: dict[str, Any] = {"space_id": SPACE, "tracker_id": TESLA}

    @many
    @given(objects(SCHEMAS[tool]), st.booleans())
    def survive(arguments: dict[str, Any], exists: bool) -> None:
        play(tool, arguments | {name: real[name] for name in real if name in arguments and exists})

    survive()


@pytest.mark.parametrize("tool", SCHEMAS)
def test_a_tool_survives_arbitrary_json(tool: str) -> None:
    properties = SCHEMAS[tool].get("properties", {})
    names = st.sampled_from(sorted(properties)) if properties else st.text(max_size=5)

    @many
    @given(st.dictionaries(names | st.text(max_size=8), anything, max_size=6))
    def survive(arguments: dict[str, Any]) -> None:
        real = {name: value for name, value in (("space_id", SPACE), ("tracker_id", TESLA)) if name in properties}
        play(tool, real | arguments)

    survive()
