"""Of the runs of one key, no more are running than may: whoever claims, and after a crash too."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update

from jobs.import_requests import ImportDump
from jobs.registry import BY_NAME
from jobs.requests import ExportRows, PruneHistory, RefreshAuthorStats
from models import Limit, Run, State
from models.claim import Claim, claim, take_back_expired
from models.clock import now
from models.due import due_runs
from tests.conftest import every_database
from worker import execution
from worker.execution import Executor
from worker.main import run_worker, working

if TYPE_CHECKING:
    from uuid import UUID

    import pytest

    from jobs.context import JobContext
    from worker.resources import Resources


def dump(site: str) -> ImportDump:
    return ImportDump(urls=("/nowhere",), site=site)


async def take(resources: Resources, *run_ids: UUID) -> list[Claim]:
    async with resources.database.writing.begin() as session:
        return await claim(session, run_ids, "tests", 60)


async def due(resources: Resources) -> set[UUID]:
    async with resources.database.reading() as session:
        return {run_id for run_id, *_ in await due_runs(session, 100)}


@every_database
async def test_claims_at_the_same_time_do_not_pass_a_limit_together(resources: Resources) -> None:
    asked = ExportRows(entity="users", path="/nowhere")
    ids = await resources.client.enqueue_many([asked] * 12)
    won = await asyncio.gather(*(take(resources, run_id) for run_id in ids))
    assert sum(map(len, won)) == ExportRows.at_once == 2
    assert await take(resources, *ids) == []


@every_database
async def test_a_dump_is_limited_by_its_site_and_a_free_run_by_nothing(resources: Resources) -> None:
    ids = await resources.client.enqueue_many([dump("beer"), dump("beer"), dump("wine"), dump("beer")])
    taken = await take(resources, *ids)
    assert sorted(run.request["site"] for run in taken) == ["beer", "wine"]
    assert await due(resources) == set()  # the others are not rung for in vain


@every_database
async def test_a_place_is_free_again_when_its_worker_has_died(resources: Resources) -> None:
    first, second = await resources.client.enqueue_many([dump("beer"), dump("beer")])
    await take(resources, first)
    assert await due(resources) == set()
    async with resources.database.writing.begin() as session:
        await session.execute(update(Run).where(Run.id == first).values(lease_until=now(-1)))
        await take_back_expired(session, 5)
    assert len(await due(resources)) == 1
    assert len(await take(resources, first, second)) == 1


@every_database
async def test_many_runs_of_a_limited_job_are_worked_off_one_after_the_other(resources: Resources) -> None:
    ids = await resources.client.enqueue_many([RefreshAuthorStats()] * 20)
    await run_worker(resources, burst=True)
    async with resources.database.reading() as session:
        runs = (await session.scalars(select(Run).where(Run.id.in_(ids)).order_by(Run.started_at))).all()
    assert {(run.state, run.attempt) for run in runs} == {(State.SUCCEEDED, 1)}
    overlaps = [a for a, b in pairwise(runs) if ended(a) > started(b)]
    assert overlaps == []


def ended(run: Run) -> Any:
    return run.finished_at


def started(run: Run) -> Any:
    return run.started_at


async def test_bulk_work_does_not_hold_up_the_rest(
    resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    slots, busy, over = resources.settings.bulk_concurrency, asyncio.Semaphore(0), asyncio.Event()

    async def long(_context: JobContext, _request: Any) -> None:
        busy.release()
        await over.wait()

    monkeypatch.setattr(
        execution, "BY_NAME", {**BY_NAME, "import_dump": replace(BY_NAME["import_dump"], function=long)}
    )
    await resources.client.enqueue_many([dump(f"site-{number}") for number in range(6)])
    async with asyncio.timeout(120), working(resources):
        for _ in range(slots):
            await busy.acquire()
        quick = await resources.client.enqueue(PruneHistory())
        while await state_of(resources, quick) != State.SUCCEEDED:
            await asyncio.sleep(0.02)
        assert busy.locked()  # no more of them than there are slots
        over.set()


async def state_of(resources: Resources, run_id: UUID) -> str:
    async with resources.database.reading() as session:
        return (await session.get_one(Run, run_id)).state


@every_database
async def test_keys_that_no_run_has_are_pruned(resources: Resources) -> None:
    run_id = await resources.client.enqueue(dump("beer"))
    await take(resources, run_id)
    async with resources.database.writing.begin() as session:
        await session.execute(update(Run).values(limit_key=None))
    await Executor(resources).execute(await resources.client.enqueue(PruneHistory()))
    async with resources.database.reading() as session:
        assert (await session.scalars(select(Limit.key))).all() == ["prune_history"]
