"""Two transactions that stand in each other's way: one goes on, the other is tried again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import DBAPIError

from jobs.conflicts import despite_conflicts
from jobs.errors import BatchConflictError
from jobs.writers.bisection import write_or_bisect
from jobs.writers.written import Written
from models import User
from tests.conftest import many_writers
from tests.factories import ORIGIN, store, user

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncSession

    from jobs.sources.record import Record
    from models.run_file import Origin
    from worker.resources import Resources

AHEAD = [user("a"), user("b")]
BACK = [user("b"), user("a")]


class Crossing:
    """Two batches that change the same two rows, from both ends: the first time, each waits for the other."""

    def __init__(self, resources: Resources) -> None:
        self.database = resources.database
        self.both_hold_one = asyncio.Barrier(2)
        self.crossed = False

    async def batch(self, records: Sequence[Record]) -> None:
        async with self.database.writing.begin() as session:
            await write_or_bisect(session, ORIGIN, records, self._write)

    async def _write(self, session: AsyncSession, _origin: Origin, records: list[User]) -> Written:
        for record in records:
            change = update(User).where(User.external_id == record.external_id)
            await session.execute(change.values(reputation=User.reputation + 1))
            if not self.crossed:
                await self.both_hold_one.wait()
                self.crossed = True
        return Written(updated=len(records))


@many_writers
async def test_a_deadlock_in_a_batch_is_a_conflict_of_one_of_the_two(resources: Resources) -> None:
    await store(resources.database, *AHEAD)
    crossing = Crossing(resources)
    ends = await asyncio.gather(crossing.batch(AHEAD), crossing.batch(BACK), return_exceptions=True)
    assert [type(end) for end in ends if end is not None] == [BatchConflictError]


@many_writers
async def test_a_batch_that_deadlocked_is_tried_again_and_loses_nothing(resources: Resources) -> None:
    await store(resources.database, *AHEAD)
    crossing = Crossing(resources)
    await asyncio.gather(
        despite_conflicts(lambda: crossing.batch(AHEAD)), despite_conflicts(lambda: crossing.batch(BACK))
    )
    async with resources.database.reading() as session:
        assert set(await session.scalars(select(User.reputation))) == {1 + 2}


async def test_what_is_no_conflict_is_not_tried_again(resources: Resources) -> None:
    tries: list[int] = []

    async def step() -> None:
        tries.append(len(tries))
        async with resources.database.writing.begin() as session:
            await session.execute(text("SELECT 1 FROM nowhere"))

    with pytest.raises(DBAPIError):
        await despite_conflicts(step)
    assert len(tries) == 1
