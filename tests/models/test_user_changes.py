"""Users are created, changed and deleted, and the statistics stay right."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select

from jobs.errors import BatchConflictError
from jobs.writers.bisection import write_or_bisect
from jobs.writers.posts import write_posts
from models import AuthorStats, Post, StaleAuthor, User
from models.natural_key import TakenError
from models.stats_upkeep import drifted
from models.user import user_by_key
from models.user_changes import create_user, delete_user, update_user
from tests.conftest import every_database
from tests.factories import NOON, ORIGIN, SITE, post, posts_of, store, user, writer_for
from tests.models.test_author_stats import read, refresh, until_somebody_waits

if TYPE_CHECKING:
    from worker.resources import Resources


async def id_of(resources: Resources, external_id: str) -> int:
    async with resources.database.reading() as session:
        found = await user_by_key(session, SITE, external_id)
    assert found is not None
    return found.id


@every_database
async def test_a_new_user_gets_the_posts_that_waited_and_no_others(resources: Resources) -> None:
    await store(resources.database, post("a", 1, score=4), post("b", 2))
    await store(resources.database, post("a", 1), site="other")
    async with resources.database.writing.begin() as session:
        created = await create_user(session, SITE, "1", {"name": "One", "created_at": NOON})
    assert (created.name, created.reputation, created.created_at) == ("One", 0, NOON)
    assert (await read(resources.database))["1"]["total_score"] == 4
    assert {key: one.author_id for key, one in (await posts_of(resources.database)).items()} == {
        "a": created.id,
        "b": None,
    }


@every_database
async def test_a_second_user_of_a_natural_key_is_refused_and_the_transaction_goes_on(
    resources: Resources,
) -> None:
    await store(resources.database, user("1", name="first"))
    async with resources.database.writing.begin() as session:
        with pytest.raises(TakenError, match="tests has 1 already, in users"):
            await create_user(session, SITE, "1", {})
        await create_user(session, "other", "1", {})
    async with resources.database.reading() as session:
        assert (await session.scalars(select(User.name).order_by(User.id))).all() == ["first", None]


@every_database
async def test_only_what_is_given_of_a_user_changes(resources: Resources) -> None:
    await store(resources.database, user("1", name="before", email="a@x"))
    number = await id_of(resources, "1")
    async with resources.database.writing.begin() as session:
        assert await update_user(session, number, {"name": "after", "reputation": 7}) is not None
        assert await update_user(session, -1, {"name": "nobody"}) is None
    async with resources.database.reading() as session:
        found = await session.get_one(User, number)
    assert (found.name, found.email, found.reputation, found.created_at) == ("after", "a@x", 7, NOON)


@every_database
async def test_a_deleted_users_posts_stay_under_the_name_that_was_shown(resources: Resources) -> None:
    database = resources.database
    await store(
        database,
        user("1", name="Name"),
        user("2"),
        post("a", "1"),
        post("b", "1", author_name="Shown"),
        post("c", "2"),
    )
    await refresh(database)
    number = await id_of(resources, "1")
    async with database.writing.begin() as session:
        assert await delete_user(session, number)
        assert not await delete_user(session, -1)
    left = {key: (one.author_id, one.author_name) for key, one in (await posts_of(database)).items()}
    assert left == {"a": (None, "Name"), "b": (None, "Shown"), "c": (await id_of(resources, "2"), None)}
    assert set(await read(database)) == {"2"}
    async with database.reading() as session:
        assert await session.scalar(select(func.count()).select_from(AuthorStats)) == 1
        assert await session.scalar(select(func.count()).select_from(StaleAuthor)) == 0
        assert await drifted(session) == 0


@every_database
async def test_a_user_who_is_created_again_gets_their_posts_back(resources: Resources) -> None:
    await store(resources.database, user("1"), post("a", "1", score=3))
    async with resources.database.writing.begin() as session:
        await delete_user(session, await id_of(resources, "1"))
    async with resources.database.writing.begin() as session:
        await create_user(session, SITE, "1", {})
    assert (await read(resources.database))["1"]["total_score"] == 3


async def test_an_import_whose_author_is_deleted_meanwhile_is_tried_again_and_rejects_nothing(
    resources: Resources,
) -> None:
    database = resources.database
    await store(database, user("1"))
    number = await id_of(resources, "1")

    async def load() -> None:
        async with database.writing.begin() as session:
            write = partial(write_posts, writer_for(database))
            written, refused = await write_or_bisect(session, ORIGIN, [post("a", "1")], write)
            assert (written.inserted, refused) == (1, [])

    async with database.writing.begin() as deleting:
        await delete_user(deleting, number)
        loading = asyncio.create_task(load())
        await until_somebody_waits(database)
    with pytest.raises(BatchConflictError):
        await loading
    await load()
    async with database.reading() as session:
        assert (await session.scalars(select(Post.author_id))).all() == [None]
