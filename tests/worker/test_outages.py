"""Redis and PostgreSQL go away, hang and come back; workers stay, and runs lose nothing."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import psutil
import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from jobs.import_requests import ImportPosts
from jobs.requests import RefreshAuthorStats
from models import Run, State
from models.run import FINISHED
from tests.chaos.fail_points import BATCH_BEGUN, COMMITTED_NOT_SEEN
from tests.chaos.held import hold
from tests.factories import SITE, json_posts, run_of, write_jsonl
from worker.embedded import embedded_services
from worker.main import working
from worker.resources import Resources, open_resources
from worker.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path
    from uuid import UUID

pytestmark = pytest.mark.slow
POSTS = 3_000
DURABLE = {"fsync": "off"}  # a killed server, unlike a killed machine, loses nothing by it


@pytest_asyncio.fixture
async def alone(tmp_path: Path) -> AsyncIterator[Resources]:
    """Resources on services of this test's own, which it may stop and kill."""
    home = tmp_path / "home"
    async with embedded_services(home, postgres=True, redis=True, options=DURABLE):
        settings = Settings(home=home, lease_seconds=2, batch_size=200)
        async with open_resources(settings, redis=True) as resources:
            yield resources


def server(resources: Resources, pid_file: str) -> psutil.Process:
    text = (resources.settings.home / pid_file).read_text()
    return psutil.Process(int(text.split("\n")[0]))


async def finished(resources: Resources, run_id: UUID, seconds: float = 120) -> Run:
    async with asyncio.timeout(seconds):
        while True:
            with suppress(SQLAlchemyError):  # our own connections may have been cut as well
                if (run := await run_of(resources, run_id)).state in FINISHED:
                    return run
            await asyncio.sleep(0.1)


def posts(tmp_path: Path) -> ImportPosts:
    return ImportPosts(url=str(write_jsonl(tmp_path / "posts.jsonl", json_posts(POSTS))), site=SITE)


async def test_a_killed_redis_is_waited_for_and_no_run_is_failed_or_done_twice(
    alone: Resources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = await alone.client.enqueue(posts(tmp_path))
    held = hold(COMMITTED_NOT_SEEN, monkeypatch)
    async with working(alone):
        await held.reached.wait()
        server(alone, "redis.pid").kill()
        # Asking goes on without Redis: the run waits in the database.
        waiting = await alone.client.enqueue(RefreshAuthorStats())
        held.released.set()
        async with embedded_services(alone.settings.home, postgres=False, redis=True):
            run = await finished(alone, run_id)
            assert (await finished(alone, waiting)).state == State.SUCCEEDED
    assert (run.state, run.failures, run.attempt) == (State.SUCCEEDED, 0, 1)
    assert run.receipts[0].inserted == POSTS


async def test_a_redis_that_hangs_is_one_that_is_away(alone: Resources) -> None:
    redis = server(alone, "redis.pid")
    async with working(alone):
        os.kill(redis.pid, signal.SIGSTOP)
        try:
            waiting = await alone.client.enqueue(RefreshAuthorStats())
        finally:
            os.kill(redis.pid, signal.SIGCONT)
        assert (await finished(alone, waiting)).state == State.SUCCEEDED


async def test_a_flushed_redis_loses_none_of_many_queued_runs(alone: Resources) -> None:
    ids = [await alone.client.enqueue(RefreshAuthorStats()) for _ in range(50)]
    assert alone.redis is not None
    await alone.redis.flushall()
    async with working(alone):
        runs = [await finished(alone, run_id) for run_id in ids]
    assert {(run.state, run.attempt) for run in runs} == {(State.SUCCEEDED, 1)}


async def test_an_import_may_be_cut_off_more_often_than_it_has_tries(
    alone: Resources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = await alone.client.enqueue(posts(tmp_path))
    cut = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
    helds = [hold(replace(BATCH_BEGUN, call=call), monkeypatch) for call in range(2, 16, 2)]
    async with working(alone):
        for held in helds:  # each attempt commits a batch and is cut off in the next
            await held.reached.wait()
            async with alone.database.writing.begin() as session:
                await session.execute(cut)
            held.released.set()
        run = await finished(alone, run_id)
    assert (run.state, run.failures) == (State.SUCCEEDED, 0)
    assert run.receipts[0].inserted == run.receipts[0].records_read == POSTS


async def test_a_killed_postgresql_is_waited_for_and_the_import_ends_whole(
    alone: Resources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = await alone.client.enqueue(posts(tmp_path))
    held = hold(COMMITTED_NOT_SEEN, monkeypatch)
    async with working(alone):
        await held.reached.wait()
        server(alone, "postgres/postmaster.pid").kill()
        held.released.set()
        async with embedded_services(alone.settings.home, postgres=True, redis=False, options=DURABLE):
            run = await finished(alone, run_id)
    assert run.state == State.SUCCEEDED
    assert run.receipts[0].inserted == run.receipts[0].records_read == POSTS
