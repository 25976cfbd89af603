"""Collecting traces with OpenTelemetry's library; imported only where traces are asked for."""

from __future__ import annotations

import asyncio
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from sqlalchemy import event

from jobs.tracing import NAME

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy import Connection, Engine, ExceptionContext

    from models.database import Database

FLUSH_SECONDS = 2.0
MOST_CHARACTERS = 2_000  # of a statement; the values are parameters and stay out


@asynccontextmanager
async def tracing(database: Database) -> AsyncIterator[None]:
    """Send traces of attempts and their statements to where OTEL_ variables say; flush them at the end."""
    provider = TracerProvider(resource=_resource(), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    for engine in database.engines:
        trace_statements(engine.sync_engine)
    try:
        yield
    finally:
        # A daemon, so that a collector that hangs cannot hold up the end of the process.
        flushing = threading.Thread(target=provider.shutdown, name="headrace-traces", daemon=True)
        flushing.start()
        await asyncio.to_thread(flushing.join, FLUSH_SECONDS)


def _resource() -> Resource:
    found = Resource.create()
    if str(found.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):
        return found.merge(Resource({SERVICE_NAME: NAME}))
    return found


def trace_statements(engine: Engine) -> None:
    """Open a span for each statement inside a trace.

    OpenTelemetry's own instrumentation refuses SQLAlchemy 2.1, changes its functions for the whole process,
    and writes the text of errors, with the values of rows, into the trace.
    """
    tracer = trace.get_tracer(NAME)

    @event.listens_for(engine, "before_cursor_execute")
    def begin(*execution: Any) -> None:
        connection, _cursor, statement, _parameters, context, _many = execution
        if trace.get_current_span().is_recording():
            context.headrace_span = tracer.start_span(
                statement.split(maxsplit=1)[0].upper(),
                kind=trace.SpanKind.CLIENT,
                attributes=_attributes(connection, statement),
            )

    @event.listens_for(engine, "after_cursor_execute")
    def end(*execution: Any) -> None:
        if span := getattr(execution[4], "headrace_span", None):
            span.end()

    @event.listens_for(engine, "handle_error")
    def fail(failure: ExceptionContext) -> None:
        if span := getattr(failure.execution_context, "headrace_span", None):
            error = type(failure.original_exception).__name__
            span.set_status(trace.Status(trace.StatusCode.ERROR, error))
            span.end()


def _attributes(connection: Connection, statement: str) -> dict[str, str]:
    return {
        "db.system.name": connection.dialect.name,
        "db.namespace": connection.engine.url.database or "",
        "db.query.text": statement[:MOST_CHARACTERS],
    }
