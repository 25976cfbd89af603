"""Statistics equal what the posts say, at any time and under concurrent changes."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select, text, update

from jobs.refresh_author_stats import refresh_author_stats
from jobs.requests import RefreshAuthorStats
from models import AuthorStats, Database, StaleAuthor, User
from models.author_stats import (
    FIGURES,
    all_fresh,
    authors,
    exact,
    mark_stale,
    take_stale,
)
from models.stats_upkeep import drifted, recompute
from tests.conftest import every_database, many_writers
from tests.factories import NOON, SITE, post, running, store, user
from tests.models.figures import expected

if TYPE_CHECKING:
    from jobs.sources.record import PostRecord
    from worker.resources import Resources


async def read(database: Database) -> dict[str, dict[str, Any]]:
    async with database.reading() as session:
        rows = (await session.execute(authors(SITE))).mappings()
        return {row["external_id"]: {name: row[name] for name in FIGURES} for row in rows}


async def refresh(database: Database) -> None:
    async with database.writing.begin() as session:
        await recompute(session, await take_stale(session, 1_000))


def random_posts(seed: int) -> list[PostRecord]:
    dice = random.Random(seed)
    return [
        post(
            number,
            dice.randrange(6),
            score=dice.randint(-5, 12),
            content=" ".join(["word"] * dice.randrange(30)),
            created_at=NOON + timedelta(hours=dice.randrange(500)),
        )
        for number in range(120)
    ]


@every_database
async def test_figures_are_exact_before_and_after_a_refresh(resources: Resources) -> None:
    posts = random_posts(1)
    await store(resources.database, *map(user, range(8)), *posts)
    by_author = {str(a): [p for p in posts if p.author_external_id == str(a)] for a in range(6)}
    truth = {author: expected(own) for author, own in by_author.items()}
    assert await read(resources.database) == truth  # every author is stale: computed while reading
    await refresh(resources.database)
    assert await read(resources.database) == truth  # now stored
    async with resources.database.reading() as session:
        assert await session.scalar(select(func.count()).select_from(StaleAuthor)) == 0
        assert await drifted(session) == 0


@every_database
async def test_a_post_that_changes_its_author_moves_the_figures_of_both(resources: Resources) -> None:
    await store(resources.database, user(1), user(2), post("a", 1, score=5), post("b", 1, score=1))
    await refresh(resources.database)
    await store(resources.database, post("a", 2, score=5))
    figures = await read(resources.database)
    assert figures["1"]["total_score"] == 1
    assert figures["2"]["total_score"] == 5
    await refresh(resources.database)
    assert await read(resources.database) == figures


@every_database
async def test_an_author_who_loses_the_last_post_has_no_row(resources: Resources) -> None:
    await store(resources.database, user(1), user(2), post("a", 1))
    await refresh(resources.database)
    await store(resources.database, post("a", 2))
    await refresh(resources.database)
    assert set(await read(resources.database)) == {"2"}


@every_database
async def test_a_drift_is_counted(resources: Resources) -> None:
    await store(resources.database, user(1), user(2), post("a", 1), post("b", 2))
    await refresh(resources.database)
    async with resources.database.writing.begin() as session:
        await session.execute(update(AuthorStats).values(post_count=AuthorStats.post_count + 1))
    async with resources.database.reading() as session:
        assert await drifted(session) == 2


@many_writers
async def test_a_mark_made_during_a_refresh_survives_it(resources: Resources) -> None:
    database = resources.database
    await store(database, user(1), post("a", 1, score=1))
    async with database.reading() as session:
        author = await session.scalar(select(User.id))
    assert author is not None
    async with database.writing.begin() as refreshing:
        taken = await take_stale(refreshing, 10)
        await recompute(refreshing, taken)

        async def mark() -> None:
            async with database.writing.begin() as marking:
                await mark_stale(marking, [author])

        waiting = asyncio.create_task(mark())
        done, _ = await asyncio.wait([waiting], timeout=0.3)
        assert not done  # the mark waits for the refresh that holds the author
    await waiting
    async with database.reading() as session:
        assert (await session.scalars(select(StaleAuthor.author_id))).all() == [author]


@many_writers
async def test_two_imports_may_hold_the_mark_of_one_author_at_once(resources: Resources) -> None:
    database = resources.database
    await store(database, user(1), post("a", 1))
    async with database.reading() as session:
        author = await session.scalar(select(User.id))
    assert author is not None
    async with database.writing.begin() as first:
        await mark_stale(first, [author])
        async with database.writing.begin() as second:
            await mark_stale(second, [author])  # does not wait for the first
        async with database.writing.begin() as refreshing:
            assert await take_stale(refreshing, 10) == []


@many_writers
async def test_a_mark_that_an_import_is_renewing_is_left_to_the_next_refresh(resources: Resources) -> None:
    database = resources.database
    await store(database, user(1), post("a", 1))
    async with database.reading() as session:
        author = await session.scalar(select(User.id))
    assert author is not None
    async with database.writing.begin() as importing:
        await mark_stale(importing, [author])  # it is marked already; its posts change once more
        async with database.writing.begin() as refreshing:
            assert await take_stale(refreshing, 10) == []
    async with database.writing.begin() as refreshing:
        assert await take_stale(refreshing, 10) == [author]


async def test_a_refresh_waits_for_the_marks_of_a_worker_that_lost_its_run(resources: Resources) -> None:
    database = resources.database
    await store(database, user(1), user(2), post("a", 1), post("b", 2))
    context = await running(resources)
    async with database.writing() as paused:
        author, _ = await take_stale(paused, 2)
        await recompute(paused, [author])
        refreshing = asyncio.create_task(refresh_author_stats(context, RefreshAuthorStats()))
        await until_somebody_waits(database)
        await paused.rollback()
    assert await refreshing == {"refreshed": 2}
    async with database.reading() as session:
        assert await all_fresh(session)


async def until_somebody_waits(database: Database) -> None:
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND cardinality(pg_blocking_pids(pid)) > 0"
    )
    async with asyncio.timeout(45):
        while True:
            async with database.reading() as session:  # a transaction sees one state of this view
                if await session.scalar(waiting):
                    return
            await asyncio.sleep(0.02)


@many_writers
async def test_two_refreshers_never_take_the_same_author(resources: Resources) -> None:
    database = resources.database
    await store(database, *map(user, range(10)), *(post(n, n) for n in range(10)))
    async with database.writing.begin() as one, database.writing.begin() as two:
        first, second = await take_stale(one, 6), await take_stale(two, 6)
    assert len(first) == 6
    assert len(second) == 4
    assert not set(first) & set(second)


async def test_who_is_stale_is_joined_and_not_looked_up_author_by_author(resources: Resources) -> None:
    async with resources.database.reading() as session:
        query = exact().compile(session.get_bind(), compile_kwargs={"literal_binds": True})
        plan = "\n".join(await session.scalars(text(f"EXPLAIN {query}")))
    assert "Anti Join" in plan
    assert "SubPlan" not in plan
