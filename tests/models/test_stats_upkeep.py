"""Stored statistics are kept what the posts say, page by page, and nobody stands in another's way for it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import delete, func, insert, literal, select, text, update

from jobs.rebuild_author_stats import rebuild_author_stats
from jobs.refresh_author_stats import refresh_author_stats
from jobs.requests import RebuildAuthorStats, RefreshAuthorStats
from models import AuthorStats, Database, Post, StaleAuthor, User
from models.author_stats import FIGURES, all_fresh, mark_stale
from models.stats_upkeep import (
    EVERYBODY,
    drifted,
    lock_upkeep,
    next_range,
    recompute_range,
    repair,
)
from tests.conftest import every_database, many_writers
from tests.factories import post, posts_of, running, store, user
from tests.models.figures import expected
from tests.models.test_author_stats import random_posts, read, refresh

if TYPE_CHECKING:
    from typing import Any

    from sqlalchemy.ext.asyncio import AsyncSession

    from models.stats_upkeep import AuthorRange
    from worker.resources import Resources


async def everybody(session: AsyncSession) -> AuthorRange:
    page = await next_range(session, 0, 1_000)
    assert page is not None
    return page


async def truth_of(database: Database) -> dict[str, dict[str, Any]]:
    async with database.reading() as session:
        names = {one.id: one.external_id for one in await session.scalars(select(User))}
    own: dict[str, list[Post]] = {}
    for row in (await posts_of(database)).values():
        if row.author_id is not None:
            own.setdefault(names[row.author_id], []).append(row)
    return {name: expected(posts) for name, posts in own.items()}


@every_database
async def test_a_page_of_all_users_stores_what_batches_of_marks_store(resources: Resources) -> None:
    database = resources.database
    await store(database, *map(user, range(8)), *random_posts(2))
    await refresh(database)
    await store(database, *random_posts(3))
    async with database.writing.begin() as session:
        await session.execute(
            delete(Post).where(Post.author_id == select(func.min(User.id)).scalar_subquery())
        )
        await mark_stale(session, (await session.scalars(select(User.id))).all())
    async with database.writing.begin() as session:
        assert await recompute_range(session, await everybody(session)) == 8
    async with database.reading() as session:
        assert await all_fresh(session)
        assert await drifted(session) == 0
    assert await read(database) == await truth_of(database)


@every_database
async def test_pages_hold_every_user_once(resources: Resources) -> None:
    await store(resources.database, *map(user, range(10)))
    async with resources.database.reading() as session:
        ids = (await session.scalars(select(User.id).order_by(User.id))).all()
        pages, after = [], 0
        while page := await next_range(session, after, 4):
            pages.append(page)
            after = page.last
    assert [(page.last, page.users) for page in pages] == [(ids[3], 4), (ids[7], 4), (ids[9], 2)]


@every_database
async def test_a_repair_counts_and_corrects_what_is_wrong_missing_or_left_over(resources: Resources) -> None:
    database = resources.database
    await store(database, *map(user, range(5)), *(post(n, n) for n in range(4)))
    await refresh(database)
    right = await read(database)
    async with database.writing.begin() as session:
        wrong, missing, marked, _, idle = (await session.scalars(select(User.id).order_by(User.id))).all()
        await session.execute(
            update(AuthorStats).values(h_index=7).where(AuthorStats.author_id.in_([wrong, marked]))
        )
        await session.execute(delete(AuthorStats).where(AuthorStats.author_id == missing))
        columns = [*FIGURES, "computed_at"]
        copied = select(literal(idle), *(getattr(AuthorStats, name) for name in columns))
        copied = copied.where(AuthorStats.author_id == wrong)
        await session.execute(insert(AuthorStats).from_select(["author_id", *columns], copied))
        await mark_stale(session, [marked])
    async with database.writing.begin() as session:
        assert await drifted(session) == 3
        assert await repair(session, await everybody(session)) == 3
        assert await repair(session, await everybody(session)) == 0
        assert (await session.scalars(select(StaleAuthor.author_id))).all() == [marked]
    assert await read(database) == right


@every_database
async def test_a_rebuild_leaves_nothing_stale_and_says_what_had_drifted(resources: Resources) -> None:
    database = resources.database
    await store(database, *map(user, range(6)), *random_posts(4))
    await refresh(database)
    async with database.writing.begin() as session:
        await session.execute(update(AuthorStats).values(word_count=AuthorStats.word_count + 1))
    await store(database, post("new", 1))
    context = await running(resources, RebuildAuthorStats())
    assert await rebuild_author_stats(context, RebuildAuthorStats()) == {"users": 6, "drifted": 5}
    assert await rebuild_author_stats(context, RebuildAuthorStats()) == {
        "users": 6,
        "drifted": 5,
    }  # its checkpoint
    async with database.reading() as session:
        assert await all_fresh(session)
        assert await drifted(session) == 0
    assert await read(database) == await truth_of(database)


@many_writers
async def test_a_rebuild_holds_up_no_import_and_keeps_its_marks(resources: Resources) -> None:
    database = resources.database
    await store(database, user(1), user(2), post("a", 1), post("b", 2))
    await refresh(database)
    async with database.writing.begin() as rebuilding:
        await rebuilding.execute(delete(AuthorStats))
        await lock_upkeep(rebuilding)
        assert await repair(rebuilding, await everybody(rebuilding)) == 2
        async with asyncio.timeout(10):
            await store(database, post("c", 1, score=5))  # does not wait for the rebuild
    assert await read(database) == await truth_of(database)
    async with database.reading() as session:
        assert not await all_fresh(session)
        assert await drifted(session) == 0


FILL = """
INSERT INTO users (id, site, external_id, reputation)
    SELECT n, 'tests', n, 1 FROM generate_series(1, 10000) n;
INSERT INTO posts (id, site, external_id, author_id, kind, score, word_count, created_at)
    SELECT n, 'tests', n, n, 'post', n % 9, 1, now() FROM generate_series(1, 10000) n
"""
MARK = "INSERT INTO stale_authors (author_id, marked_at) SELECT id, now() FROM users WHERE id <= :authors"


@pytest.mark.parametrize(("marked", "by_page"), [(7_000, True), (6_000, False)])
async def test_a_refresh_of_most_authors_goes_page_by_page(
    resources: Resources, statements: list[str], marked: int, *, by_page: bool
) -> None:
    database = resources.database
    async with database.writing.begin() as session:
        for statement in FILL.split(";"):
            await session.execute(text(statement))
        await repair(session, (await next_range(session, 0, 10_000)) or EVERYBODY)
        await session.execute(text(MARK), {"authors": marked})
    statements.clear()
    context = await running(resources)
    assert await refresh_author_stats(context, RefreshAuthorStats()) == {"refreshed": marked}
    assert any(statement.startswith("SELECT max(") for statement in statements) == by_page
    async with database.reading() as session:
        assert await all_fresh(session)
        assert await drifted(session) == 0


async def test_a_refresh_of_few_authors_is_one_transaction(
    resources: Resources, statements: list[str]
) -> None:
    await store(resources.database, *map(user, range(4)), *(post(n, n) for n in range(4)))
    context = await running(resources)
    statements.clear()
    assert await refresh_author_stats(context, RefreshAuthorStats()) == {"refreshed": 4}
    kinds = [statement.split()[0] for statement in statements]
    # Is the run held; the lock; the marks; the figures; the marks again; is one left; the run goes on.
    assert kinds == ["SELECT", "INSERT", "SELECT", "INSERT", "DELETE", "SELECT", "UPDATE"]
