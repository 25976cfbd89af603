"""Imports, edits, refreshes and rebuilds of the same authors at one time neither deadlock nor drift."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError

from jobs.writers.posts import write_posts
from models.author_stats import take_stale
from models.dialect import Fault, fault_of
from models.post_changes import update_post
from models.stats_upkeep import drifted, lock_upkeep, recompute, recompute_range, repair
from tests.conftest import many_writers
from tests.factories import NOON, ORIGIN, post, posts_of, store, user, writer_for
from tests.models.test_author_stats import read
from tests.models.test_stats_upkeep import everybody, truth_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sqlalchemy.ext.asyncio import AsyncSession

    from models import Database
    from models.post_changes import PostValues
    from worker.resources import Resources

AUTHORS = 12


class AtOnce:
    """Writers of one database, which try again where another was first, and count that."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.conflicts = 0

    async def commit(self, step: Callable[[AsyncSession], Awaitable[object]]) -> None:
        while True:
            try:
                async with self.database.writing.begin() as session:
                    await step(session)
            except DBAPIError as error:
                if fault_of(error) is not Fault.CONFLICT:
                    raise
                self.conflicts += 1
            else:
                return

    async def load(self, loader: int) -> None:
        """Load batches of own posts, by the authors of all loaders in any order."""
        dice = random.Random(loader)
        for _ in range(6):
            numbers = dice.sample(range(40), 20)
            batch = [post(f"{loader}-{n}", dice.randrange(AUTHORS), score=n) for n in numbers]
            await self.commit(partial(write_posts, writer_for(self.database), origin=ORIGIN, records=batch))

    async def edit(self, ids: list[int]) -> None:
        """Give posts to other authors, one post in a transaction."""
        for number in ids:
            values: PostValues = {
                "author_external_id": str(number % AUTHORS),
                "created_at": NOON + timedelta(days=number),
            }
            await self.commit(partial(update_post, post_id=number, values=values))

    async def repeat(self, step: Callable[[AsyncSession], Awaitable[None]]) -> None:
        for _ in range(12):
            await self.commit(step)


async def refresh_some(session: AsyncSession) -> None:
    await lock_upkeep(session)
    await recompute(session, await take_stale(session, 5))


async def refresh_page(session: AsyncSession) -> None:
    await lock_upkeep(session)
    await recompute_range(session, await everybody(session))


async def rebuild(session: AsyncSession) -> None:
    await lock_upkeep(session)
    assert await repair(session, await everybody(session)) == 0


@many_writers
async def test_nobody_deadlocks_and_nothing_drifts(resources: Resources) -> None:
    database = resources.database
    await store(database, *map(user, range(AUTHORS)), *(post(n, n % AUTHORS) for n in range(30)))
    ids = [one.id for one in (await posts_of(database)).values()]
    at_once = AtOnce(database)
    keeping = map(at_once.repeat, (refresh_some, refresh_some, refresh_page, rebuild))
    await asyncio.gather(*map(at_once.load, range(4)), at_once.edit(ids), *keeping)
    if database.engine.dialect.name == "postgresql":  # MariaDB locks gaps as well
        assert at_once.conflicts == 0
    async with database.reading() as session:
        assert await drifted(session) == 0
    assert await read(database) == await truth_of(database)
