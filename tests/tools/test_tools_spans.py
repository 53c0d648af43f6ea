"""With OpenTelemetry's SDK in the process, a call's requests to the service belong to its span."""

from __future__ import annotations

import json
import os
import subprocess
import sys

# The provider of spans is one for a process and stays, so it gets one of its own.
TRACED = """
import json, anyio
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from help.callers import Overheard, connected
from quantinal_mcp.sandbox import Sandbox

spans = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(spans))
trace.set_tracer_provider(provider)

async def main():
    sandbox = Sandbox()
    way = Overheard(sandbox)
    told = []
    async with connected(sandbox, way=way) as call:
        await call.trigger()
        told += way.traces
    made = {f"{span.context.span_id:016x}": (span.name, span.kind.name, f"{span.context.trace_id:032x}")
            for span in spans.get_finished_spans()}
    print(json.dumps([[one and one.split("-")[1:3], made.get(one.split("-")[2]) if one else None] for one in told]))

anyio.run(main)
"""


def test_the_requests_of_a_call_belong_to_the_span_that_the_sdk_makes_of_it() -> None:
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", TRACED],
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    requests = json.loads(done.stdout)
    assert len(requests) > 3
    assert {tuple(ids) for ids, _ in requests} == {tuple(requests[0][0])}
    (trace_id, _), (name, kind, of_trace) = requests[0]
    assert (name, kind, of_trace) == ("tools/call trigger_run", "SERVER", trace_id)
