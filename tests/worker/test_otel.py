"""One trace leads from the enqueueing request through the attempt to its statements, in a real worker."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from jobs.import_requests import ImportPosts
from tests.conftest import every_database
from tests.factories import SITE, json_posts, run_of, write_jsonl
from tests.worker.collector import collecting
from tests.worker.probing import free_port

if TYPE_CHECKING:
    from pathlib import Path

    from opentelemetry.proto.trace.v1.trace_pb2 import Span

    from tests.conftest import CommandLine
    from worker.resources import Resources

pytestmark = pytest.mark.slow

MISSING = "traces.unavailable"
REQUEST = SpanContext(0xABC, 0xDEF, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))


def attributes(span: Span) -> dict[str, str]:
    return {pair.key: pair.value.string_value for pair in span.attributes}


async def import_in_a_trace(resources: Resources, path: Path) -> str:
    with trace.use_span(NonRecordingSpan(REQUEST)):
        return str(await resources.client.enqueue(ImportPosts(url=str(path), site=SITE)))


@every_database
async def test_one_trace_leads_from_the_request_to_the_statements_and_the_follow_up(
    resources: Resources, headrace: CommandLine, tmp_path: Path
) -> None:
    path = write_jsonl(tmp_path / "posts.jsonl", json_posts(20))
    run_id = await import_in_a_trace(resources, path)
    with collecting() as collector:
        done = await asyncio.to_thread(
            headrace, "worker", "--burst", OTEL_EXPORTER_OTLP_ENDPOINT=collector.url
        )
    assert done.code == 0, done.err
    assert collector.services == {"headrace"}
    (attempt,), (follow_up,) = collector.named("import_posts"), collector.named("refresh_author_stats")
    assert {span.trace_id for span in collector.spans} == {REQUEST.trace_id.to_bytes(16)}
    assert attempt.parent_span_id == REQUEST.span_id.to_bytes(8)
    assert follow_up.parent_span_id == attempt.span_id
    assert attributes(attempt)["headrace.run_id"] == run_id
    assert attributes(attempt)["headrace.outcome"] == "succeeded"
    statements = [span for span in collector.spans if span.parent_span_id == attempt.span_id]
    texts = [attributes(span).get("db.query.text", "") for span in statements]
    assert any(text.startswith("COPY posts") or "INTO posts" in text for text in texts)
    assert all(span.end_time_unix_nano for span in statements)
    assert "text of post" not in str(statements)  # values are parameters and stay out


async def test_a_run_that_fails_says_so_in_its_trace_without_its_reason(
    resources: Resources, headrace: CommandLine, tmp_path: Path
) -> None:
    await import_in_a_trace(resources, tmp_path / "secret name.jsonl")
    with collecting() as collector:
        done = await asyncio.to_thread(
            headrace,
            "worker",
            "--burst",
            OTEL_TRACES_EXPORTER="otlp",
            OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"{collector.url}/v1/traces",
            OTEL_SERVICE_NAME="mill",
        )
    assert done.code == 0, done.err
    assert collector.services == {"mill"}
    (attempt,) = collector.named("import_posts")
    assert (attempt.status.code, attributes(attempt)["headrace.outcome"]) == (2, "failed")
    assert "secret name" not in str(collector.spans)


@pytest.mark.parametrize("switch", [{"OTEL_TRACES_EXPORTER": "none"}, {"OTEL_SDK_DISABLED": "true"}])
async def test_traces_can_be_switched_off(
    resources: Resources, headrace: CommandLine, tmp_path: Path, switch: dict[str, str]
) -> None:
    await import_in_a_trace(resources, write_jsonl(tmp_path / "posts.jsonl", json_posts(5)))
    with collecting() as collector:
        done = await asyncio.to_thread(
            headrace, "worker", "--burst", OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, **switch
        )
    assert done.code == 0, done.err
    assert collector.spans == []


async def test_a_collector_that_hangs_does_not_hold_up_the_end_of_a_worker(
    resources: Resources, headrace: CommandLine, tmp_path: Path
) -> None:
    await import_in_a_trace(resources, write_jsonl(tmp_path / "posts.jsonl", json_posts(5)))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        # The exporter would wait ten minutes; the command is given less.
        patience = {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_EXPORTER_OTLP_TIMEOUT": "600"}
        done = await asyncio.to_thread(headrace, "worker", "--burst", **patience)
    assert done.code == 0, done.err


def test_traces_without_the_library_are_said_to_be_missing(headrace: CommandLine) -> None:
    program = """
import sys
sys.modules["opentelemetry"] = None  # as if it were not installed
from worker.entry import main
sys.argv = ["headrace", "worker", "--burst"]
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=headrace.environment | {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    (said,) = [line for line in map(json.loads, done.stderr.splitlines()) if line["event"] == MISSING]
    assert said["level"] == "warning"


async def test_a_collector_that_is_away_keeps_no_worker_from_working_or_ending(
    resources: Resources, headrace: CommandLine, tmp_path: Path
) -> None:
    path = write_jsonl(tmp_path / "posts.jsonl", json_posts(5))
    run_id = await import_in_a_trace(resources, path)
    nowhere = f"http://127.0.0.1:{free_port()}"
    done = await asyncio.to_thread(headrace, "worker", "--burst", OTEL_EXPORTER_OTLP_ENDPOINT=nowhere)
    assert done.code == 0, done.err
    assert (await run_of(resources, run_id)).state == "succeeded"
