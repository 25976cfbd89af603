"""A run carries the trace context of whoever asked for it, and nothing where there is none."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from jobs.requests import RefreshAuthorStats
from jobs.tracing import in_trace, traceparent
from tests.conftest import every_database
from tests.factories import run_of

if TYPE_CHECKING:
    from worker.resources import Resources

ASKING = NonRecordingSpan(SpanContext(0xA, 0xB, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED)))
HEADER = f"00-{0xA:032x}-{0xB:016x}-01"


@every_database
async def test_a_run_carries_the_context_in_which_it_was_asked_for(resources: Resources) -> None:
    with trace.use_span(ASKING):
        inside = await resources.client.enqueue(RefreshAuthorStats())
    outside = await resources.client.enqueue(RefreshAuthorStats())
    assert (await run_of(resources, inside)).traceparent == HEADER
    assert (await run_of(resources, outside)).traceparent is None


def test_a_trace_that_was_noted_down_is_gone_on_with() -> None:
    with in_trace(HEADER):
        assert traceparent() == HEADER
        with in_trace(None):
            assert traceparent() is None
    assert traceparent() is None


async def test_runs_that_were_asked_for_together_carry_it_too(resources: Resources) -> None:
    with trace.use_span(ASKING):
        ids = await resources.client.enqueue_many([RefreshAuthorStats(), RefreshAuthorStats()])
    assert {(await run_of(resources, run_id)).traceparent for run_id in ids} == {HEADER}


def test_without_the_library_nothing_is_traced_and_nothing_fails() -> None:
    program = """
import sys
sys.modules["opentelemetry"] = None  # as if it were not installed
from jobs.tracing import attempt_span, end_as, in_trace, traceparent
assert traceparent() is None
with attempt_span("job", "00-0-0-00", {}) as span:
    end_as(span, "failed", failed=True)
with in_trace("00-0-0-00"):
    assert traceparent() is None
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
