"""Two transactions that stand in each other's way: one goes on, the other is told to try again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sqlalchemy import update

from jobs.errors import BatchConflictError
from jobs.writers.add_all import write_users
from jobs.writers.bisection import write_or_bisect
from models import User
from tests.conftest import many_writers
from tests.factories import SITE, store, user

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from worker.resources import Resources


@many_writers
async def test_a_deadlock_in_a_batch_is_a_conflict_and_the_batch_may_be_tried_again(
    resources: Resources,
) -> None:
    database = resources.database
    await store(database, user("a"), user("b"))
    ready = asyncio.Barrier(2)

    async def change_both(first: str, second: str) -> None:
        async def write(session: AsyncSession, site: str, keys: list[str]) -> object:
            await _touch(session, first)
            await ready.wait()
            await _touch(session, second)
            return await write_users(session, site, [user(key, name="changed") for key in keys])

        async with database.writing.begin() as session:
            await write_or_bisect(session, SITE, [first, second], write)  # type: ignore[arg-type, list-item]

    both = (change_both("a", "b"), change_both("b", "a"))
    ends = await asyncio.gather(*both, return_exceptions=True)
    assert [type(end) for end in ends if end is not None] == [BatchConflictError]


async def _touch(session: AsyncSession, key: str) -> None:
    await session.execute(update(User).where(User.external_id == key).values(reputation=User.reputation + 1))
