"""The writers: new rows inserted, changed rows updated, unchanged rows left alone, by either alike."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import delete, func, select, update

from jobs.errors import InputError
from jobs.loading import link
from jobs.writers.posts import write_posts
from jobs.writers.registry import choose_writer
from jobs.writers.tags import write_tags
from jobs.writers.written import Written
from models import Post, StaleAuthor, User, likeness, natural_key, post_tags
from models.exports import partitions
from models.post import link_parents
from tests.conftest import every_database, known_keys, many_writers
from tests.factories import ORIGIN, SITE, post, posts_of, running, store, tag, user, writer_for

if TYPE_CHECKING:
    from jobs.sources.record import PostRecord
    from jobs.writers.writer import Writer
    from worker.resources import Resources


each_writer = pytest.mark.parametrize(
    ("backend", "writer"),
    [("postgresql", "copy"), ("postgresql", "add_all"), ("sqlite", "add_all"), ("mariadb", "add_all")],
    indirect=True,
)


@pytest.fixture
def writer(resources: Resources, request: pytest.FixtureRequest) -> Writer:
    """The writer that a test asks for, else the one that its database gets."""
    return writer_for(resources.database, getattr(request, "param", "auto"))


async def write(resources: Resources, *records: PostRecord, writer: Writer | None = None) -> Written:
    async with resources.database.writing.begin() as session:
        chosen = writer or writer_for(resources.database)
        written = await write_posts(chosen, session, ORIGIN, records)
        await link_parents(session, SITE, len(records))  # as the end of an import does
        return written


async def tags_of(resources: Resources) -> dict[str, list[str]]:
    async with resources.database.reading() as session:
        parts = [part.columns async for part in partitions(session, "posts", SITE, 100)]
    return {key: tags for part in parts for key, tags in zip(part["external_id"], part["tags"], strict=True)}


@each_writer
async def test_a_second_load_of_the_same_records_changes_nothing(
    resources: Resources, writer: Writer
) -> None:
    records = [post(n, 1, tags=("a", "b"), parent_external_id="0" if n else None) for n in range(5)]
    await store(resources.database, user(1))
    assert await write(resources, *records, writer=writer) == Written(inserted=5)
    assert await write(resources, *records, writer=writer) == Written(unchanged=5)


@each_writer
async def test_a_changed_record_updates_its_row_alone(resources: Resources, writer: Writer) -> None:
    await store(resources.database, user(1), post("a", 1), post("b", 1))
    written = await write(resources, post("a", 1, score=9), post("b", 1), writer=writer)
    assert written == Written(updated=1, unchanged=1)
    assert (await posts_of(resources.database))["a"].score == 9


@each_writer
async def test_tags_follow_the_record(resources: Resources, writer: Writer) -> None:
    await write(resources, post("a", tags=("x", "y")), post("b", tags=("x",)), writer=writer)
    assert await write(
        resources, post("a", tags=("y", "z")), post("b", tags=("x",)), writer=writer
    ) == Written(updated=1, unchanged=1)
    assert await tags_of(resources) == {"a": ["y", "z"], "b": ["x"]}


@known_keys
async def test_more_tags_than_a_statement_takes_parameters_come_and_go(resources: Resources) -> None:
    many = tuple(f"tag-{n}" for n in range(40_000))
    assert await write(resources, post("a", tags=many)) == Written(inserted=1)
    assert await write(resources, post("a")) == Written(updated=1)
    assert await tags_of(resources) == {"a": []}


@many_writers
async def test_an_author_whom_another_import_set_meanwhile_is_marked_too(resources: Resources) -> None:
    database = resources.database
    await store(database, *map(user, "xyz"), post("a", "x"))
    late, waiting = asyncio.Event(), asyncio.Event()

    async def write_late() -> None:
        async with database.writing.begin() as session:
            stored_rows = natural_key.stored_rows

            async def read_then_wait(*arguments: Any) -> Any:
                rows = await stored_rows(*arguments)
                waiting.set()
                await late.wait()
                return rows

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(likeness, "stored_rows", read_then_wait)
                await write_posts(writer_for(database), session, ORIGIN, [post("a", "z")])

    other = asyncio.create_task(write_late())  # it has read that the author is x
    await waiting.wait()
    async with database.writing.begin() as session:
        await session.execute(
            update(Post).values(author_id=select(User.id).where(User.external_id == "y").scalar_subquery())
        )
        await session.execute(delete(StaleAuthor))
    late.set()
    await other
    async with database.reading() as session:
        query = select(User.external_id).join(StaleAuthor, StaleAuthor.author_id == User.id)
        assert set((await session.scalars(query)).all()) == {"y", "z"}


@each_writer
async def test_a_record_twice_in_a_batch_ends_as_its_last_version(
    resources: Resources, writer: Writer
) -> None:
    written = await write(resources, post("a", tags=("x",)), post("a", score=3, tags=("y",)), writer=writer)
    assert written == Written(inserted=1, updated=1)
    assert (await posts_of(resources.database))["a"].score == 3
    assert await tags_of(resources) == {"a": ["y"]}


@every_database
async def test_posts_may_come_before_their_authors_and_parents(resources: Resources) -> None:
    await write(resources, post("child", 1, parent_external_id="root", author_name="shown"))
    await write(resources, post("root", 2))
    context = await running(resources)
    await link(context, SITE)
    await store(resources.database, user(1), user(2))
    await link(context, SITE)
    posts = await posts_of(resources.database)
    assert posts["child"].parent_id == posts["root"].id
    assert posts["child"].author_name == "shown"
    async with resources.database.reading() as session:
        authors = {u.external_id: u.id for u in await session.scalars(select(User))}
        stale = set((await session.scalars(select(StaleAuthor.author_id))).all())
    assert {p.author_id for p in posts.values()} == set(authors.values()) == stale


@every_database
async def test_a_deleted_owner_stays_null_with_the_name_kept(resources: Resources) -> None:
    await write(resources, post("a", None, author_name="user22"))
    await link(await running(resources), SITE)
    kept = (await posts_of(resources.database))["a"]
    assert (kept.author_id, kept.author_external_id, kept.author_name) == (None, None, "user22")


@every_database
async def test_the_same_ids_on_two_sites_are_two_records(resources: Resources) -> None:
    await store(resources.database, user(1), post("a", 1, score=1), site="one")
    await store(resources.database, user(1), post("a", 1, score=2), site="two")
    assert (await posts_of(resources.database, "one"))["a"].score == 1
    assert (await posts_of(resources.database, "two"))["a"].score == 2


@every_database
async def test_every_author_whose_posts_change_is_marked_stale(resources: Resources) -> None:
    await store(resources.database, *map(user, (1, 2, 3)), post("a", 1), post("b", 2), post("c", 3))
    async with resources.database.writing.begin() as session:
        await session.execute(delete(StaleAuthor))
    await write(resources, post("a", 1), post("b", 2, score=1), post("c", 1))
    async with resources.database.reading() as session:
        query = select(User.external_id).join(StaleAuthor, StaleAuthor.author_id == User.id)
        assert set((await session.scalars(query)).all()) == {"1", "2", "3"}


async def test_an_unchanged_batch_marks_nobody(resources: Resources) -> None:
    await store(resources.database, user(1), post("a", 1))
    async with resources.database.writing.begin() as session:
        await session.execute(delete(StaleAuthor))
    await write(resources, post("a", 1))
    async with resources.database.reading() as session:
        assert await session.scalar(select(func.count()).select_from(StaleAuthor)) == 0


async def test_markup_is_not_counted_as_words(resources: Resources) -> None:
    await write(resources, post("a", content="<p>one <b>two</b></p>\n<p class='x y'>three</p>"))
    assert (await posts_of(resources.database))["a"].word_count == 3


@every_database
async def test_tags_are_inserted_once(resources: Resources, writer: Writer) -> None:
    async with resources.database.writing.begin() as session:
        written = await write_tags(writer, session, ORIGIN, [tag("a"), tag("b"), tag("a")])
        assert written == Written(inserted=2, unchanged=1)
        written = await write_tags(writer, session, ORIGIN, [tag("a"), tag("A")])
        assert written == Written(inserted=1, unchanged=1)


@known_keys
@pytest.mark.parametrize("how_many", [10, 700])
async def test_add_all_sends_new_rows_in_one_insert(
    resources: Resources, statements: list[str], how_many: int
) -> None:
    writer = writer_for(resources.database, "add_all")
    records = (post(n, 1, tags=("a",), title=None if n % 2 else "t") for n in range(how_many))
    await write(resources, *records, writer=writer)
    assert len([one for one in statements if one.startswith("INSERT INTO posts ")]) == 1


def test_auto_is_copy_where_there_is_copy_and_add_all_elsewhere() -> None:
    assert [choose_writer("auto", name).name for name in ("postgresql", "sqlite", "mysql")] == [
        "copy",
        "add_all",
        "add_all",
    ]
    with pytest.raises(InputError, match="'copy' is unknown, or not for sqlite; there are auto, add_all"):
        choose_writer("copy", "sqlite")


@many_writers
async def test_links_of_a_deleted_post_go_with_it(resources: Resources) -> None:
    await write(resources, post("a", tags=("x",)))
    async with resources.database.writing.begin() as session:
        await session.execute(delete(Post))
        assert await session.scalar(select(func.count()).select_from(post_tags)) == 0
