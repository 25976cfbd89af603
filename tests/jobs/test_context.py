"""What an attempt may do: steps that are not cut short, transactions that say whose they are."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text, update

from jobs.errors import LeaseLostError
from models import Run
from models.database import to_its_end
from tests.conftest import every_database
from tests.factories import running

if TYPE_CHECKING:
    from worker.resources import Resources

NAME = "headrace import_dump 1a2b3c4d"


async def cancelled_in_the_middle(*, error: Exception | None = None) -> list[str]:
    begun, go_on, done = asyncio.Event(), asyncio.Event(), []

    async def step() -> None:
        begun.set()
        await go_on.wait()
        done.append("step")
        if error:
            raise error

    async def caller() -> None:
        await to_its_end(step())
        done.append("after it")

    task = asyncio.create_task(caller())
    await begun.wait()
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    go_on.set()
    with pytest.raises(type(error) if error else asyncio.CancelledError):
        await task
    return done


async def test_the_step_ends_and_nothing_after_it_begins() -> None:
    assert await cancelled_in_the_middle() == ["step"]


async def test_an_error_of_the_step_is_not_lost() -> None:
    assert await cancelled_in_the_middle(error=ValueError("bad")) == ["step"]


async def connections_of(resources: Resources, name: str) -> int:
    """Count the connections to this database that go by a name."""
    query = text(
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND application_name = :name"
    )
    async with resources.database.writing() as session:
        return int((await session.execute(query, {"name": name})).scalar_one())


async def test_the_server_sees_whose_batch_it_is_and_forgets_it_with_the_commit(resources: Resources) -> None:
    context = await running(resources, application=NAME)
    async with context.batch():
        assert await connections_of(resources, NAME) == 1
    assert await connections_of(resources, NAME) == 0
    async with context.reading():
        assert await connections_of(resources, NAME) == 1
    assert await connections_of(resources, NAME) == 0
    assert await connections_of(resources, "headrace") == 2


@every_database
async def test_an_attempt_whose_last_batch_was_forgotten_writes_nothing_more(
    resources: Resources,
) -> None:
    context = await running(resources)
    async with context.batch() as batch:
        batch.checkpoint = {"files": [["posts", 2**60]], "offset": 1}
    async with context.batch() as batch:
        batch.checkpoint = {"files": [["posts", 2**60]], "offset": 2}
    async with resources.database.writing.begin() as session:  # as after a crash, or on a standby
        await session.execute(update(Run).values(checkpoint={"files": [["posts", 2**60]], "offset": 1}))
    with pytest.raises(LeaseLostError):
        async with context.batch():
            pass
