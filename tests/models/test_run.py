"""The ledger: one worker wins a run, and an attempt that lost it can commit nothing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from sqlalchemy import update
from sqlalchemy.exc import DBAPIError

from jobs.errors import LeaseLostError
from jobs.requests import RefreshAuthorStats
from models import Receipt, Run, State, Tag
from models.claim import Claim, claim, take_back_expired
from models.clock import now
from models.due import due_runs
from models.run import find_runs, transaction_name
from tests.conftest import every_database, many_writers
from tests.factories import run_of, running

if TYPE_CHECKING:
    from worker.resources import Resources


@many_writers
async def test_only_one_of_many_workers_claims_a_run(resources: Resources) -> None:
    run_id = await resources.client.enqueue(RefreshAuthorStats())

    async def take(worker: str) -> Claim | None:
        async with resources.database.writing.begin() as session:
            return next(iter(await claim(session, [run_id], worker, 60)), None)

    won = [run for run in await asyncio.gather(*(take(f"w{n}") for n in range(8))) if run]
    assert len(won) == 1
    assert won[0].attempt == 1


@every_database
async def test_a_run_whose_lease_ran_out_is_queued_again_with_its_checkpoint(resources: Resources) -> None:
    context = await running(resources)
    async with context.batch() as batch:
        batch.checkpoint = {"offset": 7}
    async with resources.database.writing.begin() as session:
        assert await take_back_expired(session, 5) == []
        await session.execute(update(Run).values(lease_until=now(-1)))
    async with resources.database.writing.begin() as session:
        assert [run_id for run_id, _ in await take_back_expired(session, 5)] == [context.run_id]
        [again] = await claim(session, [context.run_id], "other", 60)
    assert again is not None
    assert (again.attempt, again.checkpoint) == (2, {"offset": 7})


@every_database
async def test_a_batch_of_a_lost_attempt_does_not_begin(resources: Resources) -> None:
    context = await running(resources)
    async with resources.database.writing.begin() as session:
        await session.execute(update(Run).values(attempt=Run.attempt + 1))
    began = False
    with pytest.raises(LeaseLostError):
        async with context.batch():
            began = True
    assert not began


@many_writers
async def test_a_batch_whose_run_is_lost_in_the_middle_keeps_nothing(resources: Resources) -> None:
    context = await running(resources)

    async def work() -> None:
        async with context.batch() as batch:
            batch.session.add(Tag(name="zombie"))
            await batch.session.flush()
            async with resources.database.writing.begin() as thief:
                await thief.execute(update(Run).values(attempt=Run.attempt + 1))

    with pytest.raises(LeaseLostError):
        await work()
    async with resources.database.reading() as session:
        assert not (await session.scalars(Tag.__table__.select())).all()


@every_database
async def test_rows_checkpoint_and_receipt_commit_together_or_not_at_all(resources: Resources) -> None:
    context = await running(resources)

    async def fail() -> None:
        async with context.batch() as batch:
            batch.session.add(Tag(name="gone"))
            batch.checkpoint = {"offset": 1}
            batch.count("tags", records_read=1, inserted=1)
            raise RuntimeError("crash")

    with pytest.raises(RuntimeError):
        await fail()
    run = await run_of(resources, context.run_id)
    assert run.checkpoint is None
    assert run.receipts == []
    async with context.batch() as batch:
        batch.session.add(Tag(name="kept"))
        batch.checkpoint = {"offset": 2}
        batch.count("tags", records_read=1, inserted=1)
    run = await run_of(resources, context.run_id)
    assert run.checkpoint == {"offset": 2}
    assert [(r.entity, r.inserted) for r in run.receipts] == [("tags", 1)]


@every_database
async def test_the_database_refuses_a_receipt_that_does_not_add_up(resources: Resources) -> None:
    context = await running(resources)

    async def record() -> None:
        async with context.batch() as batch:
            batch.count("posts", records_read=3, inserted=2)

    with pytest.raises(DBAPIError, match="adds_up"):
        await record()


@every_database
async def test_runs_are_found_by_the_first_digits_of_their_id(resources: Resources) -> None:
    run_id = await resources.client.enqueue(RefreshAuthorStats())
    async with resources.database.reading() as session:
        assert [run.id for run in await find_runs(session, str(run_id)[:10])] == [run_id]
        assert await find_runs(session, str(uuid4())) == []


@every_database
async def test_a_run_is_due_only_when_its_time_has_come(resources: Resources) -> None:
    soon = await resources.client.enqueue(RefreshAuthorStats())
    late = await resources.client.enqueue(RefreshAuthorStats())
    async with resources.database.writing.begin() as session:
        await session.execute(update(Run).where(Run.id == late).values(run_at=now(60)))
    async with resources.database.writing.begin() as session:
        assert [run_id for run_id, *_ in await due_runs(session, 10)] == [soon]
        assert await claim(session, [late], "w", 60) == []


async def test_receipts_go_with_their_run(resources: Resources) -> None:
    context = await running(resources)
    async with context.batch() as batch:
        batch.count("posts", records_read=1, skipped=1)
    async with resources.database.writing.begin() as session:
        await session.delete(await session.get_one(Run, context.run_id))
    async with resources.database.reading() as session:
        assert not (await session.scalars(Receipt.__table__.select())).all()


def test_the_states_are_those_of_the_contract() -> None:
    assert [state.value for state in State] == ["queued", "running", "succeeded", "failed", "cancelled"]


async def test_what_a_silent_worker_left_open_ends_when_its_run_is_taken_back(resources: Resources) -> None:
    context = await running(resources)
    context.application = transaction_name("refresh_author_stats", context.run_id)
    batch = context.batch()
    held = await batch.__aenter__()
    held.session.add(Tag(name="locked"))
    await held.session.flush()  # and here the worker is paused
    async with resources.database.writing.begin() as session:
        await session.execute(update(Run).values(lease_until=now(-1)))
    async with resources.database.writing.begin() as session:
        await take_back_expired(session, 5)
    async with asyncio.timeout(45), resources.database.writing.begin() as session:
        session.add(Tag(name="locked"))  # would wait for the paused transaction
        await session.flush()
    with pytest.raises(DBAPIError):
        await batch.__aexit__(None, None, None)
