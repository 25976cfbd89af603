"""Asking for jobs: transactional with a session, once per unique key, with or without Redis."""

from __future__ import annotations

import asyncio
from itertools import chain
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from pydantic import ValidationError
from sqlalchemy import func, select

from jobs.client import JobClient, open_client
from jobs.import_requests import ImportPosts
from jobs.requests import RefreshAuthorStats
from models import Run, State, Tag
from tests.conftest import every_database, many_writers
from tests.factories import run_of
from worker.dispatcher import dispatch

if TYPE_CHECKING:
    from worker.resources import Resources

REQUEST = ImportPosts(url="/data/posts.jsonl", site="beer")


async def queued(resources: Resources) -> set[str]:
    assert resources.redis is not None
    prefix = resources.settings.queue
    keys = [await resources.redis.zrange(key, 0, -1) for key in (prefix, f"{prefix}:bulk")]
    return {key.decode() for key in chain(*keys)}


async def how_many_runs(resources: Resources) -> int:
    async with resources.database.reading() as session:
        return await session.scalar(select(func.count()).select_from(Run)) or 0


@every_database
async def test_a_request_becomes_a_queued_run_and_a_bell_without_its_data(resources: Resources) -> None:
    run_id = await resources.client.enqueue(REQUEST)
    run = await run_of(resources, run_id)
    assert (run.job, run.state, run.request["url"]) == ("import_posts", State.QUEUED, REQUEST.url)
    assert await queued(resources) == {str(run_id)}
    assert resources.redis is not None
    assert await resources.redis.get(f"arq:job:{run_id}") is None


@every_database
async def test_a_run_exists_if_and_only_if_the_callers_transaction_commits(resources: Resources) -> None:
    async with resources.database.writing() as session:
        session.add(Tag(name="the caller's own row"))
        await resources.client.enqueue(REQUEST, session=session)
        await session.rollback()
    assert await how_many_runs(resources) == 0
    async with resources.database.writing() as session:
        run_id = await resources.client.enqueue(REQUEST, session=session)
        assert await queued(resources) == set()  # no bell before the commit
        await session.commit()
    await resources.client.wait_for_bells()
    assert await queued(resources) == {str(run_id)}


@many_writers
async def test_no_bell_rings_for_a_savepoint_and_none_is_lost_with_one(resources: Resources) -> None:
    async with resources.database.writing() as session:
        await session.begin()
        kept = await resources.client.enqueue(REQUEST, session=session)
        async with session.begin_nested():
            inner = await resources.client.enqueue(REQUEST, session=session)
        await resources.client.wait_for_bells()
        assert await queued(resources) == set()
        await session.commit()
    await resources.client.wait_for_bells()
    assert await queued(resources) == {str(kept), str(inner)}


@every_database
async def test_a_unique_key_makes_a_second_ask_return_the_first_run(resources: Resources) -> None:
    ids = [await resources.client.enqueue(REQUEST, unique_key="once") for _ in range(3)]
    assert len(set(ids)) == 1
    assert await how_many_runs(resources) == 1


@many_writers
async def test_a_unique_key_holds_among_concurrent_asks(resources: Resources) -> None:
    ids = await asyncio.gather(*(resources.client.enqueue(REQUEST, unique_key="once") for _ in range(8)))
    assert len(set(ids)) == 1


async def test_without_redis_the_run_is_written_and_the_dispatcher_rings(resources: Resources) -> None:
    run_id = await JobClient(resources.database, None).enqueue(REQUEST)
    assert await queued(resources) == set()
    assert await dispatch(resources) == 1
    assert await queued(resources) == {str(run_id)}
    assert await dispatch(resources) == 0  # Redis knows it by now


async def test_a_client_of_its_own_opens_and_closes(resources: Resources) -> None:
    settings = resources.settings
    async with open_client(settings.database_url or "", settings.redis_url, queue=settings.queue) as client:
        run_id = await client.enqueue(RefreshAuthorStats())
    assert isinstance(run_id, UUID)
    assert await queued(resources) == {str(run_id)}


def test_a_request_is_frozen_and_knows_its_fields() -> None:
    with pytest.raises(ValidationError):
        ImportPosts(url="x", site="y", surprise=1)  # type: ignore[call-arg]
    with pytest.raises(ValidationError):
        REQUEST.site = "other"  # type: ignore[misc]
    with pytest.raises(ValidationError):
        ImportPosts(url="x", site=" ")
