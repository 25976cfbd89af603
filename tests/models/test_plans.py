"""No query of a page reads the whole table of posts: what PostgreSQL plans for a hundred thousand of them."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event, select, text

from jobs.writers.post_rows import LIKENESS
from models import Post, User
from models.likeness import unlike_rows
from models.natural_key import stored_ids
from models.pages import Cursor, Paging
from models.post_search import PostFilter, post_by_id, post_by_key, posts_of_user, search_posts
from models.rankings import Ranking, authors_around, statistics_of, top_authors
from models.tag_counts import related_tags, top_tags
from models.user_search import count_posts, posts_per_author
from tests.factories import NOON, SITE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sqlalchemy import Connection
    from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

    from worker.resources import Resources

    Call = Callable[[AsyncSession, User, Post], Awaitable[Any]]

pytestmark = pytest.mark.slow

# 1,000 authors with 100 posts each, a post a minute, half of them of the site. Five tags share a fifth of the
# posts, and a thousand are on two posts each. One author in a hundred is stale.
FILL = """
INSERT INTO users (id, site, external_id, reputation)
    SELECT n, CASE n % 2 WHEN 0 THEN 'tests' ELSE 'other' END, n, 1 FROM generate_series(1, 1000) n;
INSERT INTO tags (id, name) SELECT n, 'tag-' || n FROM generate_series(1, 2000) n;
INSERT INTO posts
    (id, site, external_id, author_id, kind, title, content, score, word_count, created_at)
    SELECT n, CASE n % 2 WHEN 0 THEN 'tests' ELSE 'other' END, n, 1 + n % 1000, 'post', 'title ' || n,
        repeat('word ', 20), n % 17, 20, timestamptz '2026-01-01 12:00Z' + n * interval '1 minute'
    FROM generate_series(1, 100000) n;
INSERT INTO post_tags (post_id, tag_id)
    SELECT n * 5, 1 + n % 5 FROM generate_series(1, 20000) n
    UNION ALL SELECT n * 50, 1000 + n % 1000 FROM generate_series(1, 2000) n;
INSERT INTO author_stats
    (author_id, post_count, total_score, mean_score, max_score, h_index, word_count, active_days,
     first_post_at, last_post_at, computed_at)
    SELECT author_id, count(*), sum(score), avg(score), max(score), 8, sum(word_count), 9,
        min(created_at), max(created_at), now()
    FROM posts GROUP BY author_id;
INSERT INTO stale_authors (author_id, marked_at) SELECT n * 100, now() FROM generate_series(1, 10) n;
ANALYZE users, tags, posts, post_tags, author_stats, stale_authors
"""
PAGE = Paging(50)
DEEP = Paging(50, after=Cursor(NOON + timedelta(days=30), 10))
DAY = Ranking(since=NOON + timedelta(days=1), until=NOON + timedelta(days=2))
CALLS: dict[str, Call] = {
    "newest": lambda s, _u, _p: search_posts(s, PostFilter(), PAGE),
    "further on": lambda s, _u, _p: search_posts(s, PostFilter(), DEEP),
    "of a site": lambda s, _u, _p: search_posts(s, PostFilter(site=SITE), DEEP),
    "of a site and kind": lambda s, _u, _p: search_posts(s, PostFilter(site=SITE, kind="post"), PAGE),
    "of an author": lambda s, u, _: search_posts(s, PostFilter(author_id=u.id), DEEP),
    "of a time": lambda s, _u, _p: search_posts(s, PostFilter(since=NOON, until=NOON + timedelta(1)), PAGE),
    "of a frequent tag": lambda s, _u, _p: search_posts(s, PostFilter(all_tags=["tag-1"]), PAGE),
    "of a rare tag": lambda s, _u, _p: search_posts(s, PostFilter(all_tags=["tag-1500"]), PAGE),
    "of two tags": lambda s, _u, _p: search_posts(s, PostFilter(all_tags=["tag-1", "tag-1500"]), PAGE),
    "of one of two tags": lambda s, _u, _p: search_posts(
        s, PostFilter(any_tags=["tag-1400", "tag-1500"]), PAGE
    ),
    "a user's": lambda s, u, _: posts_of_user(s, u, DEEP),
    "a post": lambda s, _, p: post_by_id(s, p.id),
    "a post by key": lambda s, _u, _p: post_by_key(s, SITE, "10"),
    "posts per author": lambda s, _u, _p: posts_per_author(s, SITE, PAGE),
    "counted posts": lambda s, u, _: count_posts(s, [u.id, u.id + 1]),
    "a ranking": lambda s, _u, _p: top_authors(s, Ranking(by="h_index"), 10),
    "a ranking of sites": lambda s, _u, _p: top_authors(s, Ranking(each_site=True), 10),
    "a ranking of a time": lambda s, _u, _p: top_authors(s, DAY, 10),
    "ranks around": lambda s, u, _: authors_around(s, Ranking(site=SITE), u.id, 5),
    "statistics of a stale author": lambda s, _u, _p: statistics_of(s, [100]),
    "tags": lambda s, _u, _p: top_tags(s, None, 10),
    "related tags": lambda s, _u, _p: related_tags(s, "tag-1500", 10),
}


async def _number_of_ids(session: AsyncSession, site: str, keys: list[str]) -> int:
    return len(await stored_ids(session, Post, site, keys))


async def _number_of_unlike(session: AsyncSession, site: str, keys: list[str]) -> int:
    unlike, same = await unlike_rows(session, LIKENESS, site, keys, lambda: b"\n".join([b"{}"] * len(keys)))
    assert not same
    return len(unlike)


LOOK_UPS = {"for ids": _number_of_ids, "to compare": _number_of_unlike}


class Plans:
    """Has PostgreSQL explain each statement of an engine before it is carried out."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.plans: list[str] = []
        self.explaining = False
        event.listen(engine.sync_engine, "before_cursor_execute", self._explain)

    def _explain(
        self, connection: Connection, _cursor: object, statement: str, parameters: Any, *_rest: Any
    ) -> None:
        if not self.explaining and statement.startswith(("SELECT", "WITH", "\n")):
            self.explaining = True
            lines = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters).scalars()
            self.plans.append("\n".join(lines))
            self.explaining = False


async def test_every_page_is_read_through_an_index(resources: Resources) -> None:
    async with resources.database.writing.begin() as session:
        for statement in FILL.split(";"):
            await session.execute(text(statement))
    async with resources.database.reading() as session:
        someone = (await session.scalars(select(User).where(User.external_id == "500"))).one()
        something = (await session.scalars(select(Post).where(Post.id == 10))).one()
        plans = Plans(resources.database.engine)
        for name, call in CALLS.items():
            plans.plans.clear()
            await call(session, someone, something)
            assert plans.plans, name
            for plan in plans.plans:
                assert not re.search(r"Seq Scan on posts\b", plan), f"{name}:\n{plan}"


@pytest.mark.parametrize("site", [SITE, "a new one"])
@pytest.mark.parametrize("statements", [0, 3, 7], ids=["empty", "filled", "analyzed"])
@pytest.mark.parametrize("how", LOOK_UPS)
async def test_rows_are_found_by_their_natural_keys_whatever_the_statistics(
    resources: Resources, how: str, statements: int, site: str
) -> None:
    async with resources.database.writing.begin() as session:
        for statement in FILL.split(";")[:statements]:
            await session.execute(text(statement))
        plans = Plans(resources.database.engine)
        found = await LOOK_UPS[how](session, site, [str(n) for n in range(5_000)])
    assert found == (2_499 if statements and site == SITE else 0)
    for plan in plans.plans:
        assert "uq_posts_site_external_id" in plan
        assert "ix_posts" not in plan
