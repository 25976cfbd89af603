"""Traces, where OpenTelemetry is installed: a run belongs to the trace of whoever asked for it.

Without the library, and without anybody who collects traces, all of this does nothing.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

try:
    from opentelemetry import context, trace
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
except ModuleNotFoundError:
    INSTALLED = False
else:
    INSTALLED = True

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from opentelemetry.trace import Span

NAME = "headrace"
TRACEPARENT = "traceparent"


def traceparent() -> str | None:
    """Give the current trace context as the W3C header `traceparent` has it; None outside of any trace."""
    if not INSTALLED:
        return None
    headers: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(headers)
    return headers.get(TRACEPARENT)


@contextmanager
def attempt_span(job: str, parent: str | None, attributes: Mapping[str, Any]) -> Iterator[Span | None]:
    """Open a span for one attempt at a run, below the span in which the run was asked for."""
    if not INSTALLED:
        yield None
        return
    with trace.get_tracer(NAME).start_as_current_span(
        job,
        _context_of(parent),
        kind=trace.SpanKind.CONSUMER,
        attributes=attributes,
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        yield span


def end_as(span: Span | None, outcome: str, *, failed: bool) -> None:
    """Say how the attempt ended. The reason is in the ledger: its text may hold values of a row."""
    if span is not None:
        span.set_attribute("headrace.outcome", outcome)
        if failed:
            span.set_status(trace.StatusCode.ERROR)


@contextmanager
def in_trace(parent: str | None) -> Iterator[None]:
    """Let what is asked for in the block belong to a trace that was noted down elsewhere."""
    if not INSTALLED:
        yield
        return
    token = context.attach(_context_of(parent))
    try:
        yield
    finally:
        context.detach(token)


def _context_of(parent: str | None) -> context.Context:
    return TraceContextTextMapPropagator().extract({TRACEPARENT: parent or ""}, context.Context())
