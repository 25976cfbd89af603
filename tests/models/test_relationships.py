"""Relationships load when asked to and never by accident."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm import joinedload, selectinload

from models import Post, Run, User
from tests.conftest import every_database
from tests.factories import post, running, store, user

if TYPE_CHECKING:
    from worker.resources import Resources


async def fill(resources: Resources) -> None:
    await store(
        resources.database,
        user(1),
        *(post(n, 1, score=n, tags=("b", "a"), parent_external_id="0" if n else None) for n in range(4)),
    )


@every_database
async def test_a_users_posts_are_queried_not_loaded(resources: Resources) -> None:
    await fill(resources)
    async with resources.database.reading() as session:
        author = (await session.scalars(select(User))).one()
        best = await session.scalars(author.posts.select().order_by(Post.score.desc()).limit(2))
        assert [found.external_id for found in best] == ["3", "2"]


@every_database
async def test_author_parent_and_tags_come_with_the_options_that_name_them(resources: Resources) -> None:
    await fill(resources)
    query = select(Post).where(Post.external_id == "2")
    async with resources.database.reading() as session:
        found = await session.scalar(
            query.options(joinedload(Post.author), joinedload(Post.parent), selectinload(Post.tags))
        )
    assert found is not None
    assert found.author is not None
    assert found.parent is not None
    assert (found.author.external_id, found.parent.external_id) == ("1", "0")
    assert [tag.name for tag in found.tags] == ["a", "b"]


@every_database
@pytest.mark.parametrize("name", ["author", "parent", "tags"])
async def test_what_was_not_asked_for_is_an_error_and_not_a_query(resources: Resources, name: str) -> None:
    await fill(resources)
    async with resources.database.reading() as session:
        found = (await session.scalars(select(Post).where(Post.external_id == "2"))).one()
        with pytest.raises(InvalidRequestError, match="raise"):
            getattr(found, name)


@every_database
async def test_a_runs_receipts_can_be_awaited(resources: Resources) -> None:
    context = await running(resources)
    async with context.batch() as batch:
        batch.count("posts", records_read=2, inserted=2)
    async with resources.database.reading() as session:
        run = await session.get_one(Run, context.run_id)
        assert [receipt.inserted for receipt in await run.awaitable_attrs.receipts] == [2]
