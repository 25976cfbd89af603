"""The worker on real Redis: bells, plain arq messages, lost messages, duplicates, shutdown."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import UUID

from arq.connections import RedisSettings, create_pool
from sqlalchemy import select, update

from jobs.import_requests import ImportPosts
from jobs.requests import RefreshAuthorStats
from models import Run, State
from models.clock import now
from models.family import family
from models.run import FINISHED
from tests.conftest import every_database, many_writers
from tests.factories import SITE, json_posts, run_of, running, write_jsonl
from worker.arq_redis import from_json, to_json
from worker.dispatcher import dispatch
from worker.main import run_worker, working

if TYPE_CHECKING:
    from pathlib import Path

    from worker.resources import Resources


async def finished(resources: Resources, run_id: UUID) -> Run:
    async with asyncio.timeout(120):
        while (run := await run_of(resources, run_id)).state not in FINISHED:
            await asyncio.sleep(0.05)
    return run


@every_database
async def test_a_burst_works_off_the_queue_with_all_that_follows(
    resources: Resources, tmp_path: Path
) -> None:
    path = write_jsonl(tmp_path / "posts.jsonl", json_posts(30))
    run_id = await resources.client.enqueue(ImportPosts(url=str(path), site=SITE))
    await run_worker(resources, burst=True)
    async with resources.database.reading() as session:
        assert [state for _, state in await family(session, [run_id])] == [State.SUCCEEDED, State.SUCCEEDED]


@every_database
async def test_a_flushed_redis_loses_no_run(resources: Resources) -> None:
    ids = [await resources.client.enqueue(RefreshAuthorStats()) for _ in range(20)]
    assert resources.redis is not None
    await resources.redis.delete(resources.settings.queue, *(f"arq:job:{run_id}" for run_id in ids))
    await run_worker(resources, burst=True)
    runs = [await run_of(resources, run_id) for run_id in ids]
    assert {(run.state, run.attempt) for run in runs} == {(State.SUCCEEDED, 1)}


async def test_a_plain_arq_message_by_name_is_adopted_once(resources: Resources, tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "posts.jsonl", json_posts(5))
    plain = await create_pool(
        RedisSettings.from_dsn(resources.settings.redis_url or ""),
        job_serializer=to_json,
        job_deserializer=from_json,
        default_queue_name=resources.settings.queue,
    )
    job = await plain.enqueue_job("import_posts", url=str(path), site=SITE)
    named = await plain.enqueue_job("refresh_author_stats", _job_id=f"nightly-{resources.settings.queue}")
    await plain.aclose(close_connection_pool=True)
    assert job is not None
    assert named is not None
    await run_worker(resources, burst=True)
    run = await run_of(resources, UUID(job.job_id))
    assert (run.state, run.request["url"], run.receipts[0].inserted) == (State.SUCCEEDED, str(path), 5)
    async with resources.database.reading() as session:
        jobs = (await session.scalars(select(Run.job))).all()
    # The named message, the import, and the refresh that follows it.
    assert sorted(jobs) == ["import_posts", "refresh_author_stats", "refresh_author_stats"]


async def test_a_plain_message_that_cannot_be_read_becomes_a_failed_run(resources: Resources) -> None:
    assert resources.redis is not None
    job = await resources.redis.enqueue_job("import_posts", "positional", site=SITE)
    assert job is not None
    await run_worker(resources, burst=True)
    run = await run_of(resources, UUID(job.job_id))
    assert run.state == State.FAILED
    assert run.error is not None
    assert run.error.startswith("unreadable request: url: Field required")


async def test_a_bell_for_a_run_that_was_rolled_back_does_nothing(resources: Resources) -> None:
    assert resources.redis is not None
    await resources.redis.zadd(resources.settings.queue, {"00000000-0000-4000-8000-000000000000": 1})
    await run_worker(resources, burst=True)
    async with resources.database.reading() as session:
        assert (await session.scalars(select(Run.id))).all() == []


@many_writers
async def test_a_run_of_a_dead_worker_is_taken_back_and_finished(resources: Resources) -> None:
    context = await running(resources)  # claimed, and its worker will never come back
    async with resources.database.writing.begin() as session:
        await session.execute(update(Run).values(lease_until=now(-1)))
    async with working(resources):
        run = await finished(resources, context.run_id)
    assert (run.state, run.attempt, run.failures) == (State.SUCCEEDED, 2, 0)


@every_database
async def test_a_burst_waits_for_the_lease_of_a_dead_worker_and_ends_its_run(resources: Resources) -> None:
    context = await running(resources)
    async with resources.database.writing.begin() as session:
        await session.execute(update(Run).values(lease_until=now(1.5)))
    await run_worker(resources, burst=True)  # its message is still in Redis
    run = await run_of(resources, context.run_id)
    assert (run.state, run.attempt) == (State.SUCCEEDED, 2)


async def test_the_dispatcher_leaves_running_and_later_runs_alone(resources: Resources) -> None:
    await running(resources)
    later = await resources.client.enqueue(RefreshAuthorStats())
    async with resources.database.writing.begin() as session:
        await session.execute(update(Run).where(Run.id == later).values(run_at=now(60)))
    assert resources.redis is not None
    await resources.redis.delete(resources.settings.queue, f"arq:job:{later}")
    assert await dispatch(resources) == 0
