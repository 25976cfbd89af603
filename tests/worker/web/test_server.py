"""The API as a process: its start, what it takes in, and its end."""

from __future__ import annotations

import asyncio
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import psutil
import pytest
from sqlalchemy import select

from models import Run
from tests.conftest import every_database
from tests.worker.collector import collecting
from tests.worker.probing import free_port, until
from worker.web import bodies
from worker.web.folders import uploads_of
from worker.web.server import listening

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import CommandLine
    from worker.resources import Resources
    from worker.settings import Settings

MEBIBYTE = 1024 * 1024
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
REFRESH = {"job": "refresh_author_stats", "request": {}}


@contextmanager
def process(headrace: CommandLine, **environment: str) -> Iterator[tuple[Any, str]]:
    """Start `headrace web`; give the process and its address, and kill it at the end."""
    port = free_port()
    started = headrace.start("web", "--port", port, **environment)
    try:
        until(port, "/readyz", 200)
        yield started, f"http://127.0.0.1:{port}"
    finally:
        started.kill()
        started.wait()


@every_database
def test_a_signal_ends_streams_and_the_process_in_good_order(headrace: CommandLine) -> None:
    with process(headrace) as (started, address), httpx.Client(base_url=address, timeout=120) as client:
        run_id = client.post("/v1/runs", json=REFRESH).json()["run_id"]
        with client.stream("GET", f"/v1/runs/{run_id}/events", timeout=120) as stream:
            lines = stream.iter_lines()
            assert next(lines) == "event: progress"
            started.send_signal(signal.SIGTERM)
            assert "event: end" not in list(lines)
        assert started.wait(timeout=120) == 0


async def test_what_was_answered_for_is_there_after_a_kill(
    headrace: CommandLine, resources: Resources
) -> None:
    answered: list[str] = []

    def keep_asking(address: str) -> None:
        with suppress(httpx.TransportError), httpx.Client(base_url=address, timeout=120) as client:
            while (answer := client.post("/v1/runs", json=REFRESH)).status_code == 202:
                answered.append(answer.json()["run_id"])

    with process(headrace) as (started, address), ThreadPoolExecutor(4) as threads:
        asking = [threads.submit(keep_asking, address) for _ in range(4)]
        while len(answered) < 40:
            await asyncio.sleep(0.01)
        started.kill()
    for each in asking:
        each.result()
    async with resources.database.reading() as session:
        found = {str(run_id) for run_id in await session.scalars(select(Run.id))}
    assert set(answered) <= found
    assert len(found) <= len(answered) + 4


async def test_an_upload_that_is_broken_off_leaves_nothing(address: str, settings: Settings) -> None:
    folder = uploads_of(settings)
    host, port = httpx.URL(address).host, httpx.URL(address).port
    _, writing = await asyncio.open_connection(host, port)
    head = f"PUT /v1/uploads/a.jsonl HTTP/1.1\r\nHost: localhost\r\nContent-Length: {4 * MEBIBYTE}\r\n\r\n"
    writing.write(head.encode() + b"x" * (2 * MEBIBYTE))
    await writing.drain()
    async with asyncio.timeout(120):
        while not any(folder.glob("*")):  # the server may not have made it yet
            await asyncio.sleep(0.01)
        writing.close()
        while any(folder.glob("*")):
            await asyncio.sleep(0.01)
    async with httpx.AsyncClient(base_url=address, timeout=120) as client:
        assert (await client.get("/v1/uploads")).json()["items"] == []


async def test_a_body_that_stalls_is_given_up(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "IDLE_SECONDS", 0.05)
    reading, writing = await asyncio.open_connection(httpx.URL(address).host, httpx.URL(address).port)
    head = b"POST /v1/runs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    writing.write(head + b"Content-Length: 9\r\n\r\n{")
    async with asyncio.timeout(120):
        assert (await reading.readline()).split()[1] == b"408"
    writing.close()


@pytest.mark.slow
def test_a_large_upload_is_never_in_memory(headrace: CommandLine, settings: Settings) -> None:
    size = 150

    def pieces() -> Iterator[bytes]:
        for _ in range(size):
            yield b"x" * MEBIBYTE

    with process(headrace) as (started, address), httpx.Client(base_url=address, timeout=120) as client:
        assert client.put("/v1/uploads/small", content=b"x" * MEBIBYTE).status_code == 201
        before = psutil.Process(started.pid).memory_info().rss
        assert client.put("/v1/uploads/large", content=pieces()).json()["bytes"] == size * MEBIBYTE
        peak = int(status_of(started.pid)["VmHWM"].split()[0]) * 1024
    assert peak - before < size * MEBIBYTE / 3
    assert (uploads_of(settings) / "large").stat().st_size == size * MEBIBYTE


def status_of(process_id: int) -> dict[str, str]:
    """Read what Linux says of a process."""
    lines = Path(f"/proc/{process_id}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def test_what_cannot_be_served_is_one_line(headrace: CommandLine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = headrace("web", "--port", port)
        assert (done.code, len(done.err.splitlines())) == (1, 1)
        assert f"127.0.0.1:{port} cannot be opened" in done.err
    done = headrace("web", "--host", "0.0.0.0", "--port", free_port())
    assert (done.code, len(done.err.splitlines())) == (1, 1)
    assert "headrace token create" in done.err


@pytest.mark.slow
def test_one_trace_leads_from_the_asker_through_the_request_to_the_attempt(headrace: CommandLine) -> None:
    with collecting() as collector:
        to_it = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
        with process(headrace, **to_it) as (started, address):
            answer = httpx.post(f"{address}/v1/runs", json=REFRESH, headers={"traceparent": TRACE})
            assert answer.status_code == 202
            started.send_signal(signal.SIGTERM)
            assert started.wait(timeout=120) == 0
        assert headrace("worker", "--burst", **to_it).code == 0
    [request], [attempt] = collector.named("POST /v1/runs"), collector.named("refresh_author_stats")
    assert [span.trace_id.hex() for span in (request, attempt)] == [TRACE.split("-")[1]] * 2
    assert request.parent_span_id.hex() == TRACE.split("-")[2]
    assert attempt.parent_span_id == request.span_id


def test_an_answer_does_not_wait_for_the_receipt_of_its_headers() -> None:
    with listening("127.0.0.1", 0) as port, socket.create_connection(port.getsockname()):
        connection, _ = port.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
