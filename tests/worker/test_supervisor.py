"""`headrace worker --processes`: several real processes, watched over by one that does no work."""

from __future__ import annotations

import asyncio
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psutil
import pytest

from jobs.import_requests import ImportPosts
from models import State
from tests.factories import SITE, json_posts, run_of, write_jsonl
from tests.worker.probing import ask, free_port, until
from worker.embedded import Services, running

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import CommandLine
    from worker.resources import Resources

pytestmark = pytest.mark.slow


@contextmanager
def two(headrace: CommandLine) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Two processes under a third, and the port of the first, from when both are ready on."""
    port = free_port()
    parent = headrace.start("worker", "--processes", 2, HEADRACE_HTTP_PORT=str(port))
    try:
        until(port, "/readyz", 200)
        until(port + 1, "/readyz", 200)
        yield parent, port
    finally:
        parent.kill()
        parent.wait()


async def test_sigterm_stops_all_and_hands_their_runs_back(
    resources: Resources, headrace: CommandLine, tmp_path: Path
) -> None:
    request = ImportPosts(url=str(write_jsonl(tmp_path / "posts.jsonl", json_posts(40_000))), site=SITE)
    with two(headrace) as (parent, _):
        children = psutil.Process(parent.pid).children()
        assert len(children) == 2
        run_id = await resources.client.enqueue(request)
        async with asyncio.timeout(30):
            while not (await run_of(resources, run_id)).receipts:
                await asyncio.sleep(0.02)
        parent.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(parent.wait, 20) == 0
        assert not any(child.is_running() for child in children)
    run = await run_of(resources, run_id)
    assert (run.state, run.failures, run.crashes, run.worker) == (State.QUEUED, 0, 0, None)
    assert run.receipts[0].records_read < 40_000


def test_a_process_that_dies_is_replaced_and_all_stop_when_the_parent_is_killed(
    headrace: CommandLine,
) -> None:
    with two(headrace) as (parent, port):
        first, second = psutil.Process(parent.pid).children()
        first.kill()
        first.wait(10)
        until(port, "/readyz", 200)
        children = psutil.Process(parent.pid).children()
        assert second in children
        parent.kill()
        parent.wait()
        _, alive = psutil.wait_procs(children, timeout=20)
        assert not alive
        with pytest.raises(OSError, match="refused"):
            ask(port, "/livez")


def test_a_burst_ends_with_the_last_process_and_the_services_with_it(
    headrace: CommandLine, tmp_path: Path
) -> None:
    home = tmp_path / "elsewhere"
    burst = ("worker", "--processes", 2, "--burst")
    done = headrace(*burst, DATABASE_URL="", REDIS_URL="", HEADRACE_HOME=str(home))
    assert done.code == 0, done.err
    assert done.err.count("worker.stopped") == 2
    assert asyncio.run(running(home)) == Services(None, None)


def test_what_keeps_them_from_starting_is_said_once(headrace: CommandLine) -> None:
    done = headrace("worker", "--processes", 3, REDIS_URL="redis://127.0.0.1:1/0")
    assert done.code == 1
    assert done.err.count("Redis at redis://127.0.0.1:1/0 cannot be used") == 1
    assert done.err.splitlines()[-1] == "headrace: worker process 0 did not start (1); see the lines above"
