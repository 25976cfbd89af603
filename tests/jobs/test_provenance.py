"""Each loaded row knows the record that wrote it last, and a receipt the digest of what was loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from jobs.digests import total
from jobs.files import layout_of
from jobs.loading import layouts_of, load
from jobs.sources.opening import opened, read
from models import Post, RunFile, Tag, User
from models.post_changes import update_post
from models.run_file import files_of
from tests.conftest import every_database
from tests.factories import (
    SITE,
    json_posts,
    json_users,
    posts_of,
    run_of,
    running,
    write_csv,
    write_jsonl,
    writer_for,
)

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID

    from jobs.context import JobContext
    from worker.resources import Resources


async def loaded(resources: Resources, *paths: Path, **overrides: Any) -> JobContext:
    """Load files as a run of its own, and give that."""
    context = await running(resources, batch_size=10, **overrides)
    layouts = layouts_of([str(path) for path in paths], "auto")
    await load(context, layouts, SITE, writer_for(resources.database))
    return context


async def files(resources: Resources, root_id: UUID) -> dict[str, RunFile]:
    async with resources.database.reading() as session:
        return {file.entity: file for file in await files_of(session, root_id)}


@every_database
async def test_a_row_names_the_file_and_place_of_the_record_that_wrote_it_last(
    resources: Resources, tmp_path: Path
) -> None:
    write_jsonl(tmp_path / "users.jsonl", json_users(3))
    first = write_jsonl(tmp_path / "posts.jsonl", json_posts(25))
    before = await files(resources, (await loaded(resources, tmp_path)).root_id)
    rows = json_posts(25)
    rows[7]["score"] = 9  # a character, as before
    second = write_jsonl(tmp_path / "posts.jsonl", rows)
    after = await files(resources, (await loaded(resources, second)).root_id)
    posts = await posts_of(resources.database)
    assert {post.file_id for key, post in posts.items() if key != "7"} == {before["posts"].id}
    assert posts["7"].file_id == after["posts"].id
    assert after["posts"].path == str(first)
    places = [post.position for post in posts.values()]
    lines = first.read_bytes().splitlines(keepends=True)
    assert sorted(filter(None, places)) == [sum(map(len, lines[:n])) for n in range(1, 25)]
    async with resources.database.reading() as session:
        assert set(await session.scalars(select(User.file_id))) == {before["users"].id}
        assert set(await session.scalars(select(Tag.file_id))) == {before["posts"].id}
        assert set(await session.scalars(select(Post.repairs))) == {0}


@every_database
async def test_a_change_by_hand_leaves_no_file_behind(resources: Resources, tmp_path: Path) -> None:
    await loaded(resources, write_jsonl(tmp_path / "posts.jsonl", json_posts(2)))
    post = (await posts_of(resources.database))["1"]
    async with resources.database.writing.begin() as session:
        await update_post(session, post.id, {"score": 5})
    changed = (await posts_of(resources.database))["1"]
    assert (changed.file_id, changed.position, changed.repairs) == (None, None, None)


async def test_a_file_can_be_read_again_as_the_ledger_describes_it(
    resources: Resources, tmp_path: Path
) -> None:
    path = write_csv(tmp_path / "posts.csv", json_posts(5))
    file = (await files(resources, (await loaded(resources, path)).root_id))["posts"]
    layout = layout_of(file)
    with opened(layout) as stream:
        records = {item.external_id: item for item in read(stream, layout, layout.start)}  # type: ignore[union-attr]
    posts = await posts_of(resources.database)
    assert {key: record.offset for key, record in records.items()} == {
        key: post.position for key, post in posts.items()
    }


@every_database
async def test_the_digest_is_that_of_all_loaded_records_however_they_were_cut_into_batches(
    resources: Resources, tmp_path: Path
) -> None:
    rows = json_posts(25)
    rows[3]["created_at"] = "never"
    path = write_jsonl(tmp_path / "posts.jsonl", rows)
    [layout] = layouts_of([str(path)], "auto")
    with opened(layout) as stream:
        good = [item for item in read(stream, layout, layout.start) if hasattr(item, "external_id")]
    digests = set()
    for batch_size in (3, 1000):
        context = await running(resources, batch_size=batch_size)
        await load(context, [layout], SITE, writer_for(resources.database))
        [receipt] = (await run_of(resources, context.run_id)).receipts
        digests.add(receipt.digest % 2**64)
    assert digests == {total(good) % 2**64}  # type: ignore[arg-type]
    assert len(good) == 24
