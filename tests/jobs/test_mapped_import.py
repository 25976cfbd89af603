"""Imports by a mapping: posts that carry their authors, counted, run again, killed in the middle, split."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select, update

from jobs.digests import total
from jobs.files import layout_of
from jobs.import_requests import ImportDump, ImportPosts
from jobs.loading import layouts_of, load
from jobs.mapping import FieldMapping
from jobs.sources.opening import opened, read
from jobs.sources.record import PostRecord
from models import Run, State, User
from models.author_stats import AuthorStats
from models.claim import claim
from models.run_file import files_of
from tests.conftest import every_database
from tests.factories import SITE, posts_of, run_of, running, store, user, writer_for
from worker.execution import Executor
from worker.main import run_worker

if TYPE_CHECKING:
    from pathlib import Path

    from jobs.requests import Request
    from worker.resources import Resources

MAPPING = FieldMapping.model_validate(
    {
        "external_id": "id",
        "created_at": "created_at",
        "content": "text",
        "tags": {"path": "tags", "name": "name"},
        "author": {"external_id": "account.id", "name": "account.name", "reputation": "account.followers"},
        "file": {"entity": "posts"},
    }
)
AUTHORS = 7


def statuses(count: int, **overrides: Any) -> list[dict[str, Any]]:
    """Make posts whose authors change with each."""
    return [
        {
            "id": number,
            "created_at": 1_600_000_000 + number,
            "text": f"status {number}",
            "tags": [{"name": f"t{number % 3}"}],
            "account": {"id": number % AUTHORS, "name": f"name {number}", "followers": number, "note": "n"},
        }
        | overrides
        for number in range(count)
    ]


def written(folder: Path, rows: list[dict[str, Any]]) -> Path:
    path = folder / "statuses.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def counts(run: Run) -> dict[str, tuple[int, ...]]:
    return {
        r.entity: (r.records_read, r.inserted, r.updated, r.unchanged, r.rejected, r.skipped)
        for r in run.receipts
    }


async def run_it(resources: Resources, request: Request) -> Run:
    run_id = await resources.client.enqueue(request)
    assert await Executor(resources).execute(run_id) is not None
    return await run_of(resources, run_id)


async def users_of(resources: Resources) -> dict[str, User]:
    async with resources.database.reading() as session:
        return {row.external_id: row for row in await session.scalars(select(User).order_by(User.id))}


@every_database
async def test_a_post_that_carries_its_author_makes_both_and_both_are_counted(
    resources: Resources, tmp_path: Path
) -> None:
    path = written(tmp_path, [*statuses(50), {"id": "x", "created_at": "never", "account": {"id": 1}}])
    run = await run_it(resources, ImportPosts(url=str(path), site=SITE, mapping=MAPPING))
    assert run.state == State.SUCCEEDED, run.error
    # The author of the rejected post is none; of each author's posts the last one stands.
    assert counts(run) == {"posts": (51, 50, 0, 0, 1, 0), "users": (50, 7, 0, 0, 0, 43)}
    users = await users_of(resources)
    assert {key: (row.name, row.reputation) for key, row in users.items()} == {
        str(number % AUTHORS): (f"name {number}", number) for number in range(50 - AUTHORS, 50)
    }
    posts = await posts_of(resources.database)
    assert all(row.author_id == users[row.author_external_id or ""].id for row in posts.values())
    receipt = {r.entity: r for r in run.receipts}
    assert receipt["posts"].unknown_fields == {"account.note": 50}


@every_database
async def test_run_again_it_changes_nothing(resources: Resources, tmp_path: Path) -> None:
    request = ImportPosts(url=str(written(tmp_path, statuses(50))), site=SITE, mapping=MAPPING)
    await run_it(resources, request)
    before = await users_of(resources)
    run = await run_it(resources, request)
    assert counts(run) == {"posts": (50, 0, 0, 50, 0, 0), "users": (50, 0, 0, 7, 0, 43)}
    after = await users_of(resources)
    assert {key: (row.id, row.name) for key, row in after.items()} == {
        key: (row.id, row.name) for key, row in before.items()
    }


@every_database
async def test_fields_of_an_author_that_the_mapping_does_not_name_stay(
    resources: Resources, tmp_path: Path
) -> None:
    await store(resources.database, user(3, email="three@example.org", reputation=5))
    path = written(tmp_path, statuses(AUTHORS))
    await run_it(resources, ImportPosts(url=str(path), site=SITE, mapping=MAPPING))
    users = await users_of(resources)
    assert (users["3"].name, users["3"].reputation, users["3"].email) == ("name 3", 3, "three@example.org")
    assert users["3"].created_at is not None
    assert (users["4"].email, users["4"].created_at) == (None, None)


@every_database
@pytest.mark.parametrize("batches", [0, 1, 3])
async def test_killed_in_the_middle_another_attempt_ends_it_with_the_same_rows(
    resources: Resources, tmp_path: Path, batches: int
) -> None:
    path = written(tmp_path, statuses(100))
    layouts = layouts_of([str(path)], "auto", mapping=MAPPING)
    writer, begun = writer_for(resources.database), itertools.count()

    async def limited(*arguments: Any) -> Any:
        if next(begun) == batches:
            raise RuntimeError("crash")
        return await writer.insert(*arguments)

    first = await running(resources, batch_size=20)
    with pytest.raises(RuntimeError, match="crash"):
        await load(first, layouts, SITE, replace(writer, insert=limited))
    async with resources.database.writing.begin() as session:
        await session.execute(update(Run).where(Run.id == first.run_id).values(state=State.QUEUED))
        [run] = await claim(session, [first.run_id], "second", 60)
    second = replace(first, attempt=run.attempt, checkpoint=run.checkpoint)
    await load(second, layouts, SITE, writer)
    found = counts(await run_of(resources, first.run_id))
    assert found["posts"] == (100, 100, 0, 0, 0, 0)
    read_users, inserted, updated, unchanged, rejected, skipped = found["users"]
    assert (read_users, inserted, rejected) == (100, AUTHORS, 0)
    assert read_users == inserted + updated + unchanged + skipped
    assert {key: row.name for key, row in (await users_of(resources)).items()} == {
        str(number % AUTHORS): f"name {number}" for number in range(100 - AUTHORS, 100)
    }


async def test_the_files_of_a_run_say_how_to_read_them_again(resources: Resources, tmp_path: Path) -> None:
    path = tmp_path / "some.csv"
    path.write_text("1;2020-01-01;ann\n2;2020-01-02;bob\n")
    mapping = FieldMapping.model_validate(
        {
            "external_id": "a",
            "created_at": {"path": "b", "date": "%Y-%m-%d"},
            "author": {"external_id": "c"},
            "file": {"delimiter": ";", "header": ["a", "b", "c"]},
        }
    )
    run = await run_it(resources, ImportPosts(url=str(path), site=SITE, mapping=mapping))
    async with resources.database.reading() as session:
        [file] = await files_of(session, run.id)
    layout = layout_of(file)
    with opened(layout) as stream:
        items = list(read(stream, layout, layout.start))
    posts = [item for item in items if isinstance(item, PostRecord)]
    assert [(post.external_id, post.author_external_id) for post in posts] == [("1", "ann"), ("2", "bob")]
    digests = {receipt.entity: receipt.digest % 2**64 for receipt in run.receipts}
    assert digests["posts"] == total(posts) % 2**64
    assert digests["users"] == total(post.author for post in posts if post.author) % 2**64


@every_database
async def test_a_split_import_takes_the_mapping_to_its_parts_and_refreshes_statistics(
    resources: Resources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.ranges.RANGE_BYTES", 100_000)
    path = written(tmp_path, statuses(600, text="long " * 60))
    request = ImportDump(urls=(str(path),), site=SITE, split=True, mapping=MAPPING)
    run_id = await resources.client.enqueue(request)
    await run_worker(resources, burst=True)
    async with resources.database.reading() as session:
        parts = (await session.scalars(select(Run).where(Run.parent_id == run_id))).all()
        figures = (await session.scalars(select(AuthorStats))).all()
    loads = [part for part in parts if part.job == "import_posts"]
    assert len(loads) > 1
    assert {part.state for part in parts} == {State.SUCCEEDED}
    assert sum(each.post_count for each in figures) == 600
    assert len(await users_of(resources)) == AUTHORS
