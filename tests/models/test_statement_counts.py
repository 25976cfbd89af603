"""What a query costs in statements is what its documentation says, for one row and for a hundred."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import delete, select

from models import Post, StaleAuthor, User
from models.pages import Paging
from models.post_changes import create_post, delete_post, update_post
from models.post_search import PostFilter, post_by_id, post_by_key, posts_of_user, search_posts
from models.rankings import Ranking, authors_around, statistics_of, top_authors
from models.tag import tag_names_of
from models.tag_counts import related_tags, top_tags
from models.user import user_by_id, user_by_key, users_by_ids
from models.user_changes import create_user, delete_user, update_user
from models.user_search import UserFilter, count_posts, posts_per_author, search_users
from tests.conftest import every_database
from tests.factories import SITE, post, store, user

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sqlalchemy.ext.asyncio import AsyncSession

    from worker.resources import Resources

    Call = Callable[[AsyncSession, User, Post], Awaitable[Any]]

ROW = re.compile(r"\| `(?P<call>(?!(?:ix|pk|uq)_)[a-z_]+)` \|.*\| (?P<statements>\d+)(?: [^|]*)?\|")
PAGE = Paging(200)
READS: dict[str, Call] = {
    "user_by_id": lambda s, u, _: user_by_id(s, u.id),
    "user_by_key": lambda s, u, _: user_by_key(s, SITE, u.external_id),
    "users_by_ids": lambda s, u, _: users_by_ids(s, range(u.id, u.id + 100)),
    "search_users": lambda s, _u, _p: search_users(s, UserFilter(name_contains="user"), PAGE),
    "count_posts": lambda s, u, _: count_posts(s, range(u.id, u.id + 100)),
    "posts_per_author": lambda s, _u, _p: posts_per_author(s, SITE, PAGE),
    "post_by_id": lambda s, _, p: post_by_id(s, p.id),
    "post_by_key": lambda s, _, p: post_by_key(s, SITE, p.external_id),
    "search_posts": lambda s, _u, _p: search_posts(s, PostFilter(site=SITE), PAGE),
    "posts_of_user": lambda s, u, _: posts_of_user(s, u, PAGE),
    "top_authors": lambda s, _u, _p: top_authors(s, Ranking(by="h_index"), 200),
    "authors_around": lambda s, u, _: authors_around(s, Ranking(), u.id, 100),
    "statistics_of": lambda s, u, _: statistics_of(s, range(u.id, u.id + 100)),
    "top_tags": lambda s, _u, _p: top_tags(s, SITE, 200),
    "related_tags": lambda s, _u, _p: related_tags(s, "all", 200),
    "tag_names_of": lambda s, _, p: tag_names_of(s, range(p.id, p.id + 100)),
}
WRITES: dict[str, Call] = {
    "create_user": lambda s, _u, _p: create_user(s, SITE, "waited for", {"name": "new"}),
    "update_user": lambda s, u, _: update_user(s, u.id, {"name": "new"}),
    "delete_user": lambda s, u, _: delete_user(s, u.id),
    "create_post": lambda s, u, p: create_post(
        s,
        SITE,
        "new",
        {
            "author_external_id": u.external_id,
            "parent_external_id": p.external_id,
            "tags": ["all", "new"],
        },
    ),
    "update_post": lambda s, _, p: update_post(
        s, p.id, {"author_external_id": "none", "parent_external_id": None, "tags": ["all", "new"]}
    ),
    "delete_post": lambda s, _, p: delete_post(s, p.id),
}

MARKING = WRITES.keys() - {"update_user"}


def documented() -> dict[str, int]:
    text = (Path(__file__).parents[2] / "docs" / "queries.md").read_text()
    return {row["call"]: int(row["statements"]) for row in ROW.finditer(text)}


async def fill(resources: Resources, how_many: int) -> tuple[User, Post]:
    """Store a user who wrote nearly all, and as many other authors, tags and posts that wait."""
    await store(
        resources.database,
        *(user(n) for n in range(how_many)),
        *(post(n, 0, tags=("all", "old", f"tag-{n}")) for n in range(how_many)),
        *(post(f"by-{n}", n, tags=(f"tag-{n}",)) for n in range(how_many)),
        *(post(f"waits-{n}", "waited for", parent_external_id="new") for n in range(how_many)),
    )
    async with resources.database.reading() as session:
        first_user = (await session.scalars(select(User).order_by(User.id))).first()
        first_post = (await session.scalars(select(Post).order_by(Post.id))).first()
    assert first_user is not None
    assert first_post is not None
    return first_user, first_post


@every_database
@pytest.mark.parametrize("how_many", [1, 100])
async def test_each_query_sends_as_many_statements_as_documented(
    resources: Resources, statements: list[str], how_many: int
) -> None:
    first_user, first_post = await fill(resources, how_many)
    sent: dict[str, list[str]] = {}
    for name, call in (READS | WRITES).items():
        async with resources.database.writing() as session:
            await session.execute(delete(StaleAuthor))  # an author who is marked already costs one less
            someone = await session.merge(first_user, load=False) if name == "posts_of_user" else first_user
            statements.clear()
            await call(session, someone, first_post)
            sent[name] = list(statements)
            await session.rollback()
    saved = MARKING if resources.database.engine.dialect.name == "postgresql" else set()
    expected = {name: count - (name in saved) for name, count in documented().items()}
    assert {name: len(which) for name, which in sent.items()} == expected, sent


@every_database
async def test_a_count_and_tags_cost_a_statement_each(resources: Resources, statements: list[str]) -> None:
    await fill(resources, 100)
    statements.clear()
    async with resources.database.reading() as session:
        await search_users(session, UserFilter(), Paging(50, offset=50))
        assert len(statements) == 2
        statements.clear()
        await search_posts(
            session, PostFilter(all_tags=["all"], any_tags=["old", "new"]), Paging(50, offset=0)
        )
        assert len(statements) == 4
