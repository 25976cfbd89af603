"""Cancel, retry, crash loops and shutdown: what stops a run, and what it costs."""

from __future__ import annotations

import asyncio
from signal import SIGINT, SIGTERM, Signals
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update

from jobs.import_requests import ImportPosts
from jobs.requests import RefreshAuthorStats
from models import Run, State
from models.claim import claim
from models.clock import now
from models.family import cancel_runs
from models.run import retry_runs
from tests.chaos.caught import caught
from tests.chaos.fail_points import COMMITTED_NOT_SEEN
from tests.chaos.held import hold
from tests.conftest import every_database, many_writers
from tests.factories import SITE, json_posts, run_of, running, write_jsonl
from worker.dispatcher import MOST_CRASHES, dispatch
from worker.execution import Executor
from worker.outcomes import Lost, Succeeded

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID

    from tests.conftest import CommandLine
    from worker.resources import Resources


def posts(tmp_path: Path, how_many: int) -> ImportPosts:
    return ImportPosts(url=str(write_jsonl(tmp_path / "posts.jsonl", json_posts(how_many))), site=SITE)


@every_database
async def test_a_running_import_is_cancelled_and_goes_on_from_there_when_retried(
    resources: Resources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = await resources.client.enqueue(posts(tmp_path, 6_000))
    held = hold(COMMITTED_NOT_SEEN, monkeypatch)
    attempt = asyncio.create_task(Executor(resources).execute(run_id))
    await held.reached.wait()
    async with resources.database.writing.begin() as session:
        assert await cancel_runs(session, [run_id]) == 1
    held.released.set()
    assert isinstance(await attempt, Lost)
    stopped = await run_of(resources, run_id)
    assert (stopped.state, stopped.receipts[0].records_read) == (State.CANCELLED, 4_500)
    async with resources.database.writing.begin() as session:
        assert await retry_runs(session, Run.id == run_id) == 1
    assert isinstance(await Executor(resources).execute(run_id), Succeeded)
    assert (await run_of(resources, run_id)).receipts[0].records_read == 6_000


async def test_a_queued_run_that_was_cancelled_never_starts(
    resources: Resources, headrace: CommandLine
) -> None:
    run_id = await resources.client.enqueue(RefreshAuthorStats())
    assert (await asyncio.to_thread(headrace, "cancel", run_id)).code == 0
    assert (await asyncio.to_thread(headrace, "worker", "--burst")).code == 0
    run = await run_of(resources, run_id)
    assert (run.state, run.attempt) == (State.CANCELLED, 0)
    assert (await asyncio.to_thread(headrace, "retry", str(run_id)[:8])).code == 0
    assert (await asyncio.to_thread(headrace, "cancel", run_id)).code == 0
    again = await asyncio.to_thread(headrace, "cancel", run_id)
    assert again.code == 1
    assert "headrace runs" in again.err


async def test_retry_takes_all_failed_runs_of_a_job(resources: Resources, headrace: CommandLine) -> None:
    ids = [await resources.client.enqueue(RefreshAuthorStats()) for _ in range(3)]
    async with resources.database.writing.begin() as session:
        await session.execute(update(Run).values(state=State.FAILED, failures=5, error="x"))
    assert headrace("retry", "--job", "refresh_author_stats").code == 0
    runs = [await run_of(resources, run_id) for run_id in ids]
    assert {(run.state, run.failures, run.error) for run in runs} == {(State.QUEUED, 0, None)}
    assert headrace("retry").code == 2


@every_database
async def test_a_run_that_keeps_killing_its_worker_is_parked_with_the_reason(resources: Resources) -> None:
    context = await running(resources)
    run = await run_of(resources, context.run_id)
    for crash in range(1, MOST_CRASHES + 1):
        await expire(resources)
        await dispatch(resources)
        run = await run_of(resources, context.run_id)
        assert run.crashes == crash
        if crash < MOST_CRASHES:
            await again(resources, context.run_id)
    assert run.state == State.FAILED
    assert run.error == "its worker died 5 times without committing anything"
    async with resources.database.writing.begin() as session:
        assert await retry_runs(session, Run.id == run.id) == 1
    assert (await run_of(resources, run.id)).crashes == 0


@many_writers
async def test_a_run_that_makes_progress_may_lose_any_number_of_workers(resources: Resources) -> None:
    context = await running(resources)
    run = await run_of(resources, context.run_id)
    for _ in range(2 * MOST_CRASHES):
        async with context.batch() as batch:
            batch.checkpoint = {"offset": 1}
        await expire(resources)
        await dispatch(resources)
        run = await again(resources, context.run_id)
        context.attempt = run.attempt
    assert run.crashes == 1


async def expire(resources: Resources) -> None:
    async with resources.database.writing.begin() as session:
        await session.execute(update(Run).values(lease_until=now(-1)))


async def again(resources: Resources, run_id: UUID) -> Run:
    async with resources.database.writing.begin() as session:
        await claim(session, [run_id], "next", 60)
    return await run_of(resources, run_id)


# The second of two is another one: of two alike the system may deliver one.
@pytest.mark.parametrize("signals", [(SIGTERM,), (SIGINT,), (SIGTERM, SIGINT)])
async def test_sigterm_hands_a_long_import_back_and_ends_soon(
    resources: Resources, headrace: CommandLine, tmp_path: Path, signals: tuple[Signals, ...]
) -> None:
    run_id = await resources.client.enqueue(posts(tmp_path, 6_000))
    async with caught(COMMITTED_NOT_SEEN, headrace, "worker") as process:
        for number in signals:
            process.send(number)
        process.release()
        assert await process.ended() == 0
    run = await run_of(resources, run_id)
    assert (run.state, run.failures, run.crashes, run.worker) == (State.QUEUED, 0, 0, None)
    assert run.receipts[0].records_read == 4_500
