"""A real worker, watched from outside: its metrics, its readiness, and what it says of a wrong port."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.conftest import every_database
from tests.factories import SITE, json_posts, write_jsonl
from tests.worker.probing import ask, free_port, until
from worker.embedded import embedded_services

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import CommandLine

pytestmark = pytest.mark.slow


@pytest.fixture
def port() -> int:
    return free_port()


@contextmanager
def working(headrace: CommandLine, port: int, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A worker that serves a port, from when it is ready on."""
    process = headrace.start("worker", HEADRACE_HTTP_PORT=str(port), **environment)
    try:
        until(port, "/readyz", 200)
        yield process
    finally:
        process.kill()
        process.wait()


@every_database
def test_a_scrape_tells_what_a_worker_did(headrace: CommandLine, port: int, tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "posts.jsonl", [*json_posts(700), {"external_id": "no date"}])
    with working(headrace, port) as process:
        assert ask(port, "/readyz").json == {"database": "ok", "schema": "ok", "redis": "ok"}
        assert ask(port, "/livez").status == 200
        assert headrace("import", path, "--site", SITE, "--wait", "--json").code == 0
        samples = ask(port, "/metrics").samples
        process.terminate()
        assert process.wait(120) == 0
        with pytest.raises(OSError, match="refused"):
            ask(port, "/livez")
    assert samples["headrace_rows_total", "posts", "inserted"] == 700
    assert samples["headrace_rows_total", "posts", "rejected"] == 1
    assert samples["headrace_runs_total", "import_posts", "succeeded"] == 1
    assert samples["headrace_run_seconds_count", "import_posts"] == 1
    assert samples["headrace_start_delay_seconds_count", "import_posts"] == 1
    assert samples["headrace_pool_size",] >= 10
    assert samples["headrace_queue_depth", "export_rows"] == 0
    assert samples["process_resident_memory_bytes",] > 0
    assert ("headrace_build_info", version("headrace")) in samples


def redis_of(home: Path) -> psutil.Process:
    return psutil.Process(int((home / "redis.pid").read_text().split("\n")[0]))


async def test_readiness_follows_redis_and_liveness_does_not(
    headrace: CommandLine, port: int, tmp_path: Path
) -> None:
    home = tmp_path / "redis only"
    async with embedded_services(home, postgres=False, redis=True) as services:
        with working(headrace, port, REDIS_URL=services.redis_url or ""):
            redis_of(home).kill()
            away = await asyncio.to_thread(until, port, "/readyz", 503)
            assert away.json["database"] == away.json["schema"] == "ok"
            assert "connect" in away.json["redis"]
            assert ask(port, "/livez").status == 200
            async with embedded_services(home, postgres=False, redis=True):
                await asyncio.to_thread(until, port, "/readyz", 200)
                assert ask(port, "/metrics").samples["headrace_redis_outages_total",] == 1
                hanging = redis_of(home)
                hanging.suspend()
                try:
                    away = await asyncio.to_thread(until, port, "/readyz", 503)
                finally:
                    hanging.resume()
                assert away.json["redis"] == "no answer in 3 seconds"
                await asyncio.to_thread(until, port, "/readyz", 200)


async def test_readiness_names_the_database_that_is_gone(
    headrace: CommandLine, port: int, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    async with embedded_services(home, postgres=True, redis=True):
        with working(headrace, port, DATABASE_URL="", REDIS_URL="", HEADRACE_HOME=str(home)):
            pid = int((home / "postgres" / "postmaster.pid").read_text().split("\n")[0])
            psutil.Process(pid).kill()
            away = (await asyncio.to_thread(until, port, "/readyz", 503)).json
            assert "cannot be used" in away["database"]
            assert "schema" not in away
            assert away["redis"] == "ok"
            await asyncio.to_thread(scrape_without, port, "headrace_queue_depth")
            async with embedded_services(home, postgres=True, redis=True):
                await asyncio.to_thread(until, port, "/readyz", 200)


def scrape_without(port: int, name: str) -> None:
    """Scrape until a metric is gone; figures of the queue follow readiness."""
    while any(key[0] == name for key in ask(port, "/metrics").samples):
        pass


def test_a_port_in_use_ends_the_worker_with_one_line(headrace: CommandLine, port: int) -> None:
    with working(headrace, port):
        done = headrace("worker", HEADRACE_HTTP_PORT=str(port))
    assert done.code == 1
    assert done.err.count("\n") == 1
    assert f"the HTTP port 127.0.0.1:{port} cannot be opened" in done.err


@pytest.mark.parametrize("number", ["-1", "70000", "http"])
def test_a_wrong_port_is_named(headrace: CommandLine, number: str) -> None:
    done = headrace("worker", HEADRACE_HTTP_PORT=number)
    assert done.code == 1
    assert done.err.startswith("headrace: HEADRACE_HTTP_PORT: ")
