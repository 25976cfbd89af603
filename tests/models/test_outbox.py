"""Unique keys and their scopes: for ever, for a time, until the run has finished, until it has started."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from jobs.import_requests import ImportPosts
from jobs.requests import RefreshAuthorStats
from models import Run, State, Tag
from models.claim import claim
from models.clock import now
from models.outbox import Unique
from tests.conftest import every_database, many_writers
from tests.factories import run_of

if TYPE_CHECKING:
    from uuid import UUID

    from models.outbox import Scope
    from worker.resources import Resources

REQUEST = ImportPosts(url="/data/posts.jsonl", site="beer")


async def ask(resources: Resources, scope: Scope) -> UUID:
    return await resources.client.enqueue(REQUEST, unique_key="nightly", unique=scope)


async def begin(resources: Resources, run_id: UUID) -> int:
    async with resources.database.writing.begin() as session:
        return len(await claim(session, [run_id], "tests", 60))


async def become(resources: Resources, run_id: UUID, state: State) -> None:
    async with resources.database.writing.begin() as session:
        await session.execute(update(Run).where(Run.id == run_id).values(state=state))


@every_database
@pytest.mark.parametrize(
    ("scope", "queued", "running", "finished"),
    [
        (Unique.ALWAYS, True, True, True),
        (Unique.UNTIL_FINISHED, True, True, False),
        (Unique.UNTIL_STARTED, True, False, False),
    ],
)
async def test_a_key_is_taken_for_as_long_as_its_scope_says(
    resources: Resources, scope: Scope, *, queued: bool, running: bool, finished: bool
) -> None:
    first = await ask(resources, scope)
    for state, taken in (
        (State.QUEUED, queued),
        (State.RUNNING, running),
        (State.SUCCEEDED, finished),
    ):
        async with resources.database.writing.begin() as session:
            await session.execute(update(Run).where(Run.id != first).values(unique_key=None))
            await session.execute(
                update(Run).where(Run.id == first).values(state=state, unique_key="nightly")
            )
        assert (await ask(resources, scope) == first) is taken, state


@every_database
async def test_a_key_may_be_taken_for_a_time(resources: Resources) -> None:
    first = await ask(resources, timedelta(hours=1))
    await become(resources, first, State.SUCCEEDED)
    assert await ask(resources, timedelta(hours=1)) == first
    async with resources.database.writing.begin() as session:
        await session.execute(update(Run).values(created_at=now(-3_601)))
    second = await ask(resources, timedelta(hours=1))
    assert second != first
    assert await ask(resources, timedelta(hours=1)) == second


@every_database
async def test_triggers_during_a_run_become_exactly_one_run_after_it(resources: Resources) -> None:
    first = await ask(resources, Unique.UNTIL_STARTED)
    assert await begin(resources, first) == 1
    asked = await asyncio.gather(*(ask(resources, Unique.UNTIL_STARTED) for _ in range(10)))
    assert len(set(asked)) == 1
    assert await begin(resources, asked[0]) == 0  # not beside the first
    await become(resources, first, State.SUCCEEDED)
    assert await begin(resources, asked[0]) == 1


@many_writers
async def test_a_waiting_run_starts_after_the_triggers_it_serves_are_committed(resources: Resources) -> None:
    """Or it could read before them, and what they wrote would wait for the next trigger."""
    first = await ask(resources, Unique.UNTIL_STARTED)
    async with resources.database.writing() as session:
        session.add(Tag(name="what the run has to see"))
        asked = await resources.client.enqueue(
            REQUEST, session=session, unique_key="nightly", unique=Unique.UNTIL_STARTED
        )
        assert asked == first
        await session.flush()
        assert await begin(resources, first) == 0
        await session.commit()
    assert await begin(resources, first) == 1


@many_writers
async def test_a_trigger_that_races_with_the_start_is_neither_lost_nor_doubled(resources: Resources) -> None:
    run_id = await ask(resources, Unique.UNTIL_STARTED)
    for _ in range(10):
        started, asked = await asyncio.gather(begin(resources, run_id), ask(resources, Unique.UNTIL_STARTED))
        if not started:  # the trigger was first and held the row
            assert asked == run_id
            assert await begin(resources, run_id) == 1
            asked = await ask(resources, Unique.UNTIL_STARTED)
        if asked == run_id:  # it was first and its transaction ended before the start
            asked = await ask(resources, Unique.UNTIL_STARTED)
        assert (await run_of(resources, asked)).state == State.QUEUED
        await become(resources, run_id, State.SUCCEEDED)
        run_id = asked
    async with resources.database.reading() as session:
        states = dict((await session.execute(select(Run.state, func.count()).group_by(Run.state))).all())
    assert states == {State.SUCCEEDED: 10, State.QUEUED: 1}


@every_database
async def test_many_runs_are_asked_for_at_once_in_order(resources: Resources) -> None:
    requests = [ImportPosts(url=f"/data/{number}.jsonl", site="beer") for number in range(2_500)]
    ids = await resources.client.enqueue_many(requests)
    async with resources.database.reading() as session:
        rows = {run.id: run.request for run in await session.scalars(select(Run))}
    assert [rows[run_id]["url"] for run_id in ids] == [request.url for request in requests]
    assert resources.redis is not None
    assert await resources.redis.zcard(f"{resources.settings.queue}:bulk") == 2_500


@every_database
async def test_many_runs_with_keys_return_the_runs_that_have_them(resources: Resources) -> None:
    first = await resources.client.enqueue(RefreshAuthorStats(), unique_key="b")
    again = [RefreshAuthorStats()] * 4
    ids = await resources.client.enqueue_many(again, unique_keys=["a", "b", None, "a"])
    assert ids[1] == first
    assert ids[0] == ids[3]
    assert len(set(ids)) == 3


@many_writers
async def test_many_runs_belong_to_the_callers_transaction(resources: Resources) -> None:
    async with resources.database.writing() as session:
        await resources.client.enqueue_many([RefreshAuthorStats()] * 3, session=session)
        await session.rollback()
    async with resources.database.reading() as session:
        assert (await session.scalars(select(Run.id))).all() == []


@pytest.mark.parametrize("backend", ["mariadb"], indirect=True)
async def test_an_asker_whose_snapshot_is_older_than_the_run_that_has_the_key_is_told_it(
    resources: Resources,
) -> None:
    asking = resources.database.engine.execution_options(isolation_level="REPEATABLE READ")
    async with AsyncSession(asking) as session, session.begin():
        assert (await session.scalars(select(Run.id))).all() == []
        first = await resources.client.enqueue(RefreshAuthorStats(), unique_key="one")
        async with asyncio.timeout(45):
            again = await resources.client.enqueue(RefreshAuthorStats(), session=session, unique_key="one")
    assert again == first
