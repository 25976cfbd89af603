"""What an import remembers between batches spares questions, and changes nothing of what it leaves behind."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import delete, func, select

from jobs.context import JobContext
from jobs.errors import BatchConflictError
from jobs.loading import layouts_of, load
from jobs.writers import memory
from jobs.writers.memory import Keys
from models import Post, Tag, User
from models.copying import prepare_copy
from models.tag_counts import top_tags
from tests.conftest import every_database, many_writers
from tests.factories import (
    SITE,
    json_posts,
    json_users,
    posts_of,
    run_of,
    running,
    store,
    user,
    write_jsonl,
    writer_for,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from jobs.writers.writer import Writer
    from models.copying import Copy
    from worker.resources import Resources

LOOK_UP = ">= given.external_id"  # on PostgreSQL, for keys alone, for rows and to compare


async def import_(
    resources: Resources,
    path: Path,
    rows: list[dict[str, Any]],
    *,
    after_batch: dict[int, Callable[[], Awaitable[None]]] | None = None,
    writer: Writer | None = None,
) -> dict[str, int]:
    """Import posts, a hundred a batch; do something after some batches, counted from 1; give the counts."""
    numbers = iter(range(1_000))

    class Watched(JobContext):
        @asynccontextmanager
        async def batch(self) -> Any:
            async with super().batch() as batch:
                yield batch
            if batch.receipts and (act := (after_batch or {}).get(next(numbers) + 1)):
                await act()

    context = await running(resources, batch_size=100)
    watched = Watched(context.run_id, context.attempt, context.database, batch_size=100)
    layouts = layouts_of([str(write_jsonl(path / f"{id(rows)}.jsonl", rows))], "jsonl", "posts")
    await load(watched, layouts, SITE, writer or writer_for(resources.database))
    [receipt] = (await run_of(resources, context.run_id)).receipts
    assert receipt.records_read == len(rows)
    return {name: getattr(receipt, name) for name in ("inserted", "updated", "unchanged", "rejected")}


def outcome(**counts: int) -> dict[str, int]:
    return {"inserted": 0, "updated": 0, "unchanged": 0, "rejected": 0} | counts


@every_database
async def test_after_a_batch_of_new_records_nobody_asks_for_stored_ones(
    resources: Resources, statements: list[str], tmp_path: Path
) -> None:
    await store(resources.database, *(user(n) for n in range(7)))
    statements.clear()
    rows = [row | {"parent_external_id": str(row["external_id"] // 2)} for row in json_posts(500)]
    assert await import_(resources, tmp_path, rows) == outcome(inserted=500)
    # PostgreSQL is first asked for the keys alone.
    asked = [one for one in statements if "FROM posts" in one and ("posts.content" in one or LOOK_UP in one)]
    assert len([one for one in asked if one.startswith("SELECT")]) == 1


async def test_authors_and_parents_that_were_met_before_are_not_looked_up_again(
    resources: Resources, statements: list[str], tmp_path: Path
) -> None:
    await store(resources.database, *(user(n) for n in range(7)))
    statements.clear()
    rows = [row | {"parent_external_id": str(row["external_id"] // 2)} for row in json_posts(500)]
    await import_(resources, tmp_path, rows)
    looked_up = [one for one in statements if LOOK_UP in one]
    assert ["FROM users" in one for one in looked_up] == [False, True]  # in the first batch
    rows_now = await posts_of(resources.database)
    assert all(row.author_id for row in rows_now.values())
    parents = {key: row.parent_id for key, row in rows_now.items()}
    assert parents["499"] == rows_now["249"].id


@every_database
@pytest.mark.parametrize("most_keys", [10, 20_000])
async def test_a_record_that_comes_again_in_a_later_batch_updates_its_row(
    resources: Resources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most_keys: int
) -> None:
    monkeypatch.setattr(memory, "MOST_KEYS", most_keys)
    rows = json_posts(300)
    rows += [rows[5] | {"score": 100}, rows[250] | {"score": 101}, rows[6], *json_posts(310)[300:]]
    assert await import_(resources, tmp_path, rows) == outcome(inserted=310, updated=2, unchanged=1)
    stored = await posts_of(resources.database)
    assert [stored[key].score for key in ("5", "250")] == [100, 101]


@every_database
async def test_known_records_after_new_ones_are_found_unchanged(resources: Resources, tmp_path: Path) -> None:
    rows = json_posts(600)
    assert await import_(resources, tmp_path, rows[200:300] + rows[400:450]) == outcome(inserted=150)
    assert await import_(resources, tmp_path, rows) == outcome(inserted=450, unchanged=150)
    assert await import_(resources, tmp_path, rows) == outcome(unchanged=600)


@many_writers
async def test_two_imports_of_the_same_new_records_at_once_insert_each_once(
    resources: Resources, tmp_path: Path
) -> None:
    rows = json_posts(600)
    both = await asyncio.gather(
        import_(resources, tmp_path, list(rows)), import_(resources, tmp_path, list(rows))
    )
    total = {name: sum(counts[name] for counts in both) for name in both[0]}
    assert total == outcome(inserted=600, unchanged=600)
    assert len(await posts_of(resources.database)) == 600


@every_database
async def test_an_author_who_is_deleted_during_an_import_is_linked_no_more(
    resources: Resources, tmp_path: Path
) -> None:
    await store(resources.database, *(user(n) for n in range(7)))

    async def remove() -> None:
        async with resources.database.writing.begin() as session:
            await session.execute(delete(User).where(User.external_id == "3"))

    counts = await import_(resources, tmp_path, json_posts(400), after_batch={2: remove})
    assert counts == outcome(inserted=400)
    stored = (await posts_of(resources.database)).values()
    assert {row.author_external_id for row in stored if row.author_id is None} == {"3"}
    assert len([row for row in stored if row.author_id is None]) == 57


@every_database
async def test_an_author_who_is_deleted_and_comes_back_is_linked_by_the_new_key(
    resources: Resources, tmp_path: Path
) -> None:
    await store(resources.database, *(user(n) for n in range(7)))

    async def replace_some() -> None:
        async with resources.database.writing.begin() as session:
            await session.execute(delete(User).where(User.external_id.in_(["5", "6"])))
        await store(resources.database, user(6), user(5))  # a database may give them each other's key

    await import_(resources, tmp_path, json_posts(400), after_batch={2: replace_some})
    async with resources.database.reading() as session:
        query = select(func.count()).select_from(Post).join(User, User.id == Post.author_id)
        assert await session.scalar(query.where(User.external_id == Post.author_external_id)) == 400


@every_database
async def test_a_parent_that_is_deleted_during_an_import_is_linked_no_more(
    resources: Resources, tmp_path: Path
) -> None:
    rows = [row | {"parent_external_id": "0"} for row in json_posts(400)]

    async def remove() -> None:
        async with resources.database.writing.begin() as session:
            await session.execute(delete(Post).where(Post.external_id == "0"))

    assert await import_(resources, tmp_path, rows, after_batch={2: remove}) == outcome(inserted=400)
    stored = await posts_of(resources.database)
    assert len(stored) == 399
    assert {row.parent_id for row in stored.values()} == {None}


@every_database
async def test_a_tag_that_is_deleted_during_an_import_is_made_again(
    resources: Resources, statements: list[str], tmp_path: Path
) -> None:
    rows = [row | {"tags": ["snow"]} for row in json_posts(600)]

    async def remove() -> None:
        async with resources.database.writing.begin() as session:
            await session.execute(delete(Tag))

    assert await import_(resources, tmp_path, rows, after_batch={4: remove}) == outcome(inserted=600)
    if resources.database.engine.dialect.name == "postgresql":
        asked = [one for one in statements if one.startswith("SELECT") and "FROM tags" in one]
        assert len(asked) == 2 + 2 + 1  # by the batches that make it, and by one that is told of no new posts
    async with resources.database.reading() as session:
        assert [tuple(row) for row in await top_tags(session, SITE, 9)] == [("snow", 200)]


@every_database
async def test_what_a_batch_inserted_that_was_rolled_back_is_not_remembered(
    resources: Resources, tmp_path: Path
) -> None:
    begun = iter(range(100))
    usual = writer_for(resources.database)

    def failing_once(step: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def step_or_fail(*arguments: Any) -> Any:
            done = await step(*arguments)
            if next(begun) == 2:
                raise BatchConflictError
            return done

        return step_or_fail

    rows = [row | {"parent_external_id": str(row["external_id"] - 1)} for row in json_posts(500)]
    writer = replace(usual, insert=failing_once(usual.insert), send=failing_once(usual.send))
    assert await import_(resources, tmp_path, rows, writer=writer) == outcome(inserted=500)
    stored = await posts_of(resources.database)
    assert all(stored[str(n)].parent_id == stored[str(n - 1)].id for n in range(1, 500))


async def test_a_bad_record_that_the_database_refuses_leaves_no_wrong_memory(
    resources: Resources, tmp_path: Path
) -> None:
    rows = [row | {"parent_external_id": str(row["external_id"] - 1)} for row in json_posts(500)]
    usual = writer_for(resources.database)

    def spoilt(columns: Any, new: Any) -> Any:
        """Give a row a title that is too long for the column."""
        key, title = columns.index("external_id"), columns.index("title")
        too_long = ("x" * 2_000,)
        return [(*row[:title], *too_long, *row[title + 1 :]) if row[key] == "250" else row for row in new]

    async def insert(session: Any, model: Any, columns: Any, new: Any) -> Any:
        return await usual.insert(session, model, columns, spoilt(columns, new))

    def prepare(table: Any, columns: Any, new: Any) -> Copy:
        return prepare_copy(table, columns, spoilt(columns, new) if table.name == "posts" else new)

    writer = replace(usual, insert=insert, prepare=prepare)
    assert await import_(resources, tmp_path, rows, writer=writer) == outcome(inserted=499, rejected=1)
    stored = await posts_of(resources.database)
    assert {key for key, row in stored.items() if row.parent_id is None} == {"0", "251"}


@every_database
async def test_users_are_loaded_without_asking_for_them_again_and_again(
    resources: Resources, statements: list[str], tmp_path: Path
) -> None:
    path = write_jsonl(tmp_path / "users.jsonl", [*json_users(450), *json_users(150)])
    layouts = layouts_of([str(path)], "jsonl", "users")
    context = await running(resources, batch_size=100)
    await load(context, layouts, SITE, writer_for(resources.database))
    [receipt] = (await run_of(resources, context.run_id)).receipts
    assert (receipt.inserted, receipt.unchanged) == (450, 150)
    # PostgreSQL is first asked for the keys alone.
    looks = LOOK_UP if resources.database.engine.dialect.name == "postgresql" else "reputation"
    asked = [one for one in statements if one.startswith("SELECT") and looks in one]
    assert len(asked) == 3  # the first batch, and those with records that are there already


@every_database
async def test_tags_are_loaded_like_the_others(resources: Resources, tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "tags.jsonl", [{"name": f"tag-{n % 150}"} for n in range(300)])
    context = await running(resources, batch_size=100)
    await load(context, layouts_of([str(path)], "jsonl", "tags"), SITE, writer_for(resources.database))
    [receipt] = (await run_of(resources, context.run_id)).receipts
    assert (receipt.inserted, receipt.unchanged) == (150, 150)


def test_what_was_met_last_is_remembered_and_the_rest_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MOST_KEYS", 3)
    keys = Keys()
    for number in range(10):
        keys.keep({str(number): number})
        keys.keep(keys.among(["0"]))
    remembered = keys.among([*map(str, range(10)), "never"])
    assert {"0", "9", "8"} <= remembered.keys()
    assert len(remembered) <= 8
    assert all(key == str(row_id) for key, row_id in remembered.items())
