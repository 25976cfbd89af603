"""Posts are created, changed and deleted, and the statistics of all authors concerned stay right."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from jobs.errors import BatchConflictError
from jobs.writers.bisection import write_or_bisect
from jobs.writers.posts import write_posts
from models import Post, StaleAuthor, User
from models.author_stats import take_stale
from models.dialect import Fault, fault_of
from models.natural_key import BY_HAND, TakenError
from models.post_changes import PostValues, create_post, delete_post, update_post
from models.stats_upkeep import drifted, recompute
from models.user_changes import create_user, delete_user
from tests.conftest import every_database
from tests.factories import NOON, ORIGIN, SITE, post, posts_of, store, user, writer_for
from tests.models.figures import expected
from tests.models.test_author_stats import read, refresh, until_somebody_waits

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sqlalchemy.ext.asyncio import AsyncSession

    from models import Database
    from worker.resources import Resources


async def marked(database: Database) -> set[str]:
    async with database.reading() as session:
        query = select(User.external_id).join(StaleAuthor, StaleAuthor.author_id == User.id)
        return set((await session.scalars(query)).all())


async def change(resources: Resources, external_id: str, values: PostValues) -> Post:
    number = (await posts_of(resources.database))[external_id].id
    async with resources.database.writing.begin() as session:
        changed = await update_post(session, number, values)
    assert changed is not None
    return changed


@every_database
async def test_a_new_post_counts_for_its_author_and_is_given_with_author_and_tags(
    resources: Resources,
) -> None:
    database = resources.database
    await store(database, user(1), user(2), post("root"))
    await refresh(database)
    values: PostValues = {
        "author_external_id": "1",
        "parent_external_id": "root",
        "content": "<p>one <b>two</b></p>",
        "score": 5,
        "created_at": NOON,
        "tags": ["y", "x"],
    }
    async with database.writing.begin() as session:
        created = await create_post(session, SITE, "new", values)
    assert created.author is not None
    assert (created.author.external_id, [tag.name for tag in created.tags]) == ("1", ["x", "y"])
    assert (created.word_count, created.kind) == (2, "post")
    assert created.parent_id == (await posts_of(database))["root"].id
    assert await marked(database) == {"1"}
    assert (await read(database))["1"]["total_score"] == 5


@every_database
async def test_a_post_made_by_an_edit_is_the_row_an_import_makes(resources: Resources) -> None:
    record = post("a", 1, content="<i>x</i> y<br>z", score=3, title="T", kind="question", author_name="N")
    await store(resources.database, user(1), record)
    async with resources.database.writing.begin() as session:
        names = ("author_external_id", "content", "score", "title", "kind", "author_name", "created_at")
        values: Any = {name: getattr(record, name) for name in names}
        await create_post(session, SITE, "b", values)
    rows = await posts_of(resources.database)
    own = {"id", "external_id", *BY_HAND}
    columns = [name for name in Post.__table__.columns.keys() if name not in own]  # noqa: SIM118
    assert [getattr(rows["b"], name) for name in columns] == [getattr(rows["a"], name) for name in columns]


@every_database
async def test_a_post_with_little_said_of_it_is_of_now_and_nobodys(resources: Resources) -> None:
    async with resources.database.writing.begin() as session:
        created = await create_post(session, SITE, "a", {"author_external_id": "later"})
    assert (created.author, created.tags, created.word_count, created.score) == (None, [], 0, 0)
    assert created.created_at > NOON
    async with resources.database.writing.begin() as session:
        author = await create_user(session, SITE, "later", {})
    assert (await posts_of(resources.database))["a"].author_id == author.id


@every_database
async def test_posts_that_waited_for_a_parent_find_it(resources: Resources) -> None:
    await store(resources.database, post("child", parent_external_id="root"))
    async with resources.database.writing.begin() as session:
        root = await create_post(session, SITE, "root", {})
    assert (await posts_of(resources.database))["child"].parent_id == root.id
    async with resources.database.writing.begin() as session:
        assert await delete_post(session, root.id)
    assert (await posts_of(resources.database))["child"].parent_id is None


@every_database
async def test_a_second_post_of_a_natural_key_is_refused(resources: Resources) -> None:
    await store(resources.database, post("a", score=1))
    async with resources.database.writing.begin() as session:
        with pytest.raises(TakenError, match="tests has a already, in posts"):
            await create_post(session, SITE, "a", {"score": 2})
    assert (await posts_of(resources.database))["a"].score == 1


@every_database
async def test_only_what_is_given_of_a_post_changes(resources: Resources) -> None:
    await store(resources.database, user(1), post("a", 1, title="T", score=1, tags=("x", "y")))
    changed = await change(resources, "a", {"content": "a b c d"})
    assert (changed.title, changed.score, changed.word_count) == ("T", 1, 4)
    assert [tag.name for tag in changed.tags] == ["x", "y"]
    assert changed.author is not None
    changed = await change(resources, "a", {"tags": ["z", "y"], "content": None})
    assert ([tag.name for tag in changed.tags], changed.word_count) == (["y", "z"], 0)
    assert (await change(resources, "a", {"tags": []})).tags == []
    async with resources.database.writing.begin() as session:
        assert await update_post(session, -1, {"score": 1}) is None


@every_database
async def test_a_post_that_changes_its_author_marks_both(resources: Resources) -> None:
    database = resources.database
    await store(database, *map(user, "123"), post("a", 1, score=5), post("b", 1, score=1))
    await refresh(database)
    changed = await change(resources, "a", {"author_external_id": "2"})
    assert changed.author is not None
    assert changed.author.external_id == "2"
    assert await marked(database) == {"1", "2"}
    await change(resources, "b", {"author_external_id": None})
    assert {author: row["total_score"] for author, row in (await read(database)).items()} == {"2": 5}
    await refresh(database)
    async with database.reading() as session:
        assert await drifted(session) == 0


@every_database
async def test_a_deleted_post_counts_no_more(resources: Resources) -> None:
    database = resources.database
    await store(database, user(1), post("a", 1, score=5, tags=("x",)), post("b", 1, score=2))
    await refresh(database)
    number = (await posts_of(database))["a"].id
    async with database.writing.begin() as session:
        assert await delete_post(session, number)
        assert not await delete_post(session, number)
    assert await marked(database) == {"1"}
    assert (await read(database))["1"]["total_score"] == 2


@pytest.mark.parametrize("edit_first", [True, False])
async def test_an_edit_and_an_import_of_one_post_wait_for_one_another(
    resources: Resources, *, edit_first: bool
) -> None:
    database = resources.database
    await store(database, *map(user, "xyz"), post("a", "x"), post("b", "x"))
    await refresh(database)
    number = (await posts_of(database))["a"].id

    async def edit(session: AsyncSession) -> None:
        await update_post(session, number, {"author_external_id": "y", "tags": ["new"]})

    async def load(session: AsyncSession) -> None:
        await write_posts(writer_for(database), session, ORIGIN, [post("a", "z", score=7), post("b", "x")])

    first, second = (edit, load) if edit_first else (load, edit)

    async def follow() -> None:
        async with database.writing.begin() as session:
            await second(session)

    async with database.writing.begin() as session:
        await first(session)
        waiting = asyncio.create_task(follow())
        await until_somebody_waits(database)
    await waiting
    await refresh(database)
    assert set(await read(database)) == {"x", "z" if edit_first else "y"}
    async with database.reading() as session:
        assert await drifted(session) == 0


async def again(database: Database, write: Callable[[AsyncSession], Awaitable[Any]]) -> None:
    """Write in a transaction, and once more whenever another one was first."""
    while True:
        try:
            async with database.writing.begin() as session:
                await write(session)
        except (DBAPIError, BatchConflictError, TakenError) as error:
            if isinstance(error, DBAPIError) and fault_of(error) is not Fault.CONFLICT:
                raise
            if isinstance(error, TakenError):
                return
        else:
            return


async def recompute_stale(session: AsyncSession) -> None:
    await recompute(session, await take_stale(session, 1_000))


@every_database
async def test_statistics_are_exact_after_imports_edits_and_refreshes_at_once(resources: Resources) -> None:
    database = resources.database
    await store(database, *map(user, range(5)), *(post(n, n % 5) for n in range(30)))
    ids = [one.id for one in (await posts_of(database)).values()]

    async def import_(dice: random.Random) -> None:
        batch = [
            post(n, dice.randrange(6), score=dice.randrange(9), tags=(f"t{dice.randrange(3)}",))
            for n in dice.sample(range(40), 10)
        ]
        write = partial(write_posts, writer_for(database))
        await again(database, lambda session: write_or_bisect(session, ORIGIN, batch, write))

    async def edit(dice: random.Random) -> None:
        values: PostValues = {
            "author_external_id": str(dice.randrange(6)),
            "score": dice.randrange(9),
            "content": "w " * dice.randrange(9),
            "created_at": NOON + timedelta(days=dice.randrange(9)),
            "tags": [f"t{dice.randrange(3)}"],
        }
        number, name = dice.choice(ids), f"api-{dice.randrange(9)}"
        await again(database, lambda session: update_post(session, number, values))
        await again(database, lambda session: create_post(session, SITE, name, values))
        await again(database, lambda session: delete_post(session, dice.choice(ids)))

    async def replace(dice: random.Random) -> None:
        async with database.reading() as session:
            found = (await session.scalars(select(User.id).order_by(User.id))).all()
        await again(database, lambda session: delete_user(session, dice.choice(found)))
        await again(database, lambda session: create_user(session, SITE, str(dice.randrange(6)), {}))

    async def repeat(step: Callable[[random.Random], Awaitable[None]], times: int, seed: int) -> None:
        dice = random.Random(seed)
        for _ in range(times):
            await step(dice)
            await again(database, recompute_stale)

    # A user who is deleted while their posts are written may cost a deadlock, found after a second.
    steps = ((import_, 8), (edit, 8), (edit, 8), (replace, 3))
    await asyncio.gather(*(repeat(step, times, seed) for seed, (step, times) in enumerate(steps)))
    rows = list((await posts_of(database)).values())
    by_author = {one.author_id: [row for row in rows if row.author_id == one.author_id] for one in rows}
    async with database.reading() as session:
        names = {one.id: one.external_id for one in await session.scalars(select(User))}
        assert await drifted(session) == 0
    truth = {names[author]: expected(own) for author, own in by_author.items() if author is not None}
    assert await read(database) == truth
    await refresh(database)
    assert await read(database) == truth
