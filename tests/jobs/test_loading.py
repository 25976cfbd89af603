"""Imports: whole, from the checkpoint on, and with every bad record kept as a reject."""

from __future__ import annotations

import itertools
import os
import re
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func, select, update

from jobs.errors import InputError
from jobs.fetching.places import local_path
from jobs.import_requests import ImportDump, ImportPosts, ImportUsers
from jobs.loading import layouts_of, load
from models import Post, Receipt, Reject, Run, State, User
from models.claim import claim
from tests.conftest import every_database, many_writers
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
from worker.execution import Executor
from worker.outcomes import Failed, Succeeded

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.ext.asyncio import AsyncSession

    from jobs.context import JobContext
    from jobs.requests import Request
    from jobs.writers.writer import Writer
    from models.copying import Copy
    from worker.resources import Resources


async def run_it(resources: Resources, request: Request) -> Run:
    run_id = await resources.client.enqueue(request)
    assert await Executor(resources).execute(run_id) is not None
    return await run_of(resources, run_id)


def counts(run: Run) -> dict[str, dict[str, int]]:
    names = ("records_read", "inserted", "updated", "unchanged", "rejected")
    return {r.entity: {name: getattr(r, name) for name in names} for r in run.receipts}


@every_database
async def test_a_folder_is_imported_as_one_run_with_a_receipt_per_entity(
    resources: Resources, tmp_path: Path
) -> None:
    write_jsonl(tmp_path / "Users.jsonl", json_users(5))
    write_jsonl(tmp_path / "posts.jsonl", json_posts(1_200))
    run = await run_it(resources, ImportDump(urls=(str(tmp_path),), site=SITE))
    assert run.state == State.SUCCEEDED
    assert counts(run) == {
        "users": {"records_read": 5, "inserted": 5, "updated": 0, "unchanged": 0, "rejected": 0},
        "posts": {"records_read": 1_200, "inserted": 1_200, "updated": 0, "unchanged": 0, "rejected": 0},
    }
    assert run.bytes_done == run.bytes_total > 0
    async with resources.database.reading() as session:
        refresh = (await session.scalars(select(Run).where(Run.parent_id == run.id))).one()
    assert refresh.job == "refresh_author_stats"


@every_database
async def test_posts_imported_before_users_are_linked_when_these_arrive(
    resources: Resources, tmp_path: Path
) -> None:
    posts = write_jsonl(tmp_path / "posts.jsonl", json_posts(50))
    users = write_jsonl(tmp_path / "users.jsonl", json_users(5))
    await run_it(resources, ImportPosts(url=str(posts), site=SITE))
    await run_it(resources, ImportUsers(url=str(users), site=SITE))
    async with resources.database.reading() as session:
        linked = await session.scalar(select(func.count()).where(Post.author_id.is_not(None)))
        known = {u.external_id: u.id for u in await session.scalars(select(User))}
    rows = (await posts_of(resources.database)).values()
    assert linked == sum(row.author_external_id in known for row in rows) > 0
    assert all(row.author_id == known.get(row.author_external_id or "") for row in rows)


def stop_after(batches: int, writer: Writer) -> Writer:
    """Make a writer that fails after some batches of new records, as a crash would."""
    begun = itertools.count()

    async def insert(*arguments: Any) -> Any:
        if next(begun) == batches:
            raise RuntimeError("crash")
        return await writer.insert(*arguments)

    async def send(session: AsyncSession, copy: Copy) -> None:
        if copy.table != "post_tags" and next(begun) == batches:
            raise RuntimeError("crash")
        await writer.send(session, copy)

    return replace(writer, insert=insert, send=send)


async def again(resources: Resources, context: JobContext) -> JobContext:
    """Take the run over, as another worker does after a crash."""
    async with resources.database.writing.begin() as session:
        await session.execute(update(Run).where(Run.id == context.run_id).values(state=State.QUEUED))
        [run] = await claim(session, [context.run_id], "second", 60)
    assert run is not None
    return type(context)(
        run_id=run.id,
        attempt=run.attempt,
        database=context.database,
        batch_size=context.batch_size,
        checkpoint=run.checkpoint,
    )


@every_database
@pytest.mark.parametrize("batches", [0, 1, 2, 3, 5])
async def test_a_rerun_goes_on_at_the_checkpoint_wherever_the_first_attempt_stopped(
    resources: Resources, tmp_path: Path, batches: int
) -> None:
    write_jsonl(tmp_path / "users.jsonl", json_users(150))
    write_csv(tmp_path / "posts.csv", json_posts(400))  # its header must not be read as a record
    layouts = layouts_of([str(tmp_path)], "auto")
    context = await running(resources, batch_size=100)
    writer = writer_for(resources.database)
    with pytest.raises(RuntimeError, match="crash"):
        await load(context, layouts, SITE, stop_after(batches, writer))
    second = await again(resources, context)
    await load(second, layouts, SITE, writer)
    run = await run_of(resources, context.run_id)
    assert counts(run) == {
        # Every record was read once: nothing of the first attempt is done again or left out.
        "users": {"records_read": 150, "inserted": 150, "updated": 0, "unchanged": 0, "rejected": 0},
        "posts": {"records_read": 400, "inserted": 400, "updated": 0, "unchanged": 0, "rejected": 0},
    }
    assert len(await posts_of(resources.database)) == 400


async def test_a_file_that_changed_between_two_attempts_is_refused(
    resources: Resources, tmp_path: Path
) -> None:
    path = write_jsonl(tmp_path / "posts.jsonl", json_posts(300))
    context = await running(resources, batch_size=100)
    writer = writer_for(resources.database)
    with pytest.raises(RuntimeError, match="crash"):
        await load(context, layouts_of([str(path)], "auto"), SITE, stop_after(1, writer))
    os.utime(path, (1, 1))
    with pytest.raises(InputError, match="changed"):
        await load(await again(resources, context), layouts_of([str(path)], "auto"), SITE, writer)


async def test_a_file_that_is_rewritten_during_an_import_stops_it(
    resources: Resources, tmp_path: Path
) -> None:
    path = write_jsonl(tmp_path / "posts.jsonl", json_posts(300))
    context = await running(resources, batch_size=100)
    writer = writer_for(resources.database)

    async def meanwhile(*arguments: Any) -> Any:
        os.utime(path, (1, 1))
        return await writer.insert(*arguments)

    rewriting = replace(writer, insert=meanwhile)
    with pytest.raises(InputError, match="changed"):
        await load(context, layouts_of([str(path)], "auto"), SITE, rewriting)
    assert len(await posts_of(resources.database)) == 100


@every_database
async def test_importing_the_same_again_writes_checkpoints_and_receipts_alone(
    resources: Resources, statements: list[str], tmp_path: Path
) -> None:
    write_jsonl(tmp_path / "users.jsonl", json_users(7))
    write_jsonl(tmp_path / "posts.jsonl", json_posts(300))
    layouts = layouts_of([str(tmp_path)], "auto")
    for _ in range(2):
        statements.clear()
        context = await running(resources, batch_size=100)
        await load(context, layouts, SITE, writer_for(resources.database))
    wrote = re.findall(
        r"^(?:INSERT|UPDATE|DELETE|COPY)\b.*?\b(\w+)(?= SET| \()", "\n".join(statements), re.MULTILINE
    )
    assert set(wrote) == {"runs", "receipts", "run_files"}


@every_database
async def test_bad_records_are_kept_with_bytes_position_rule_and_reason(
    resources: Resources, tmp_path: Path
) -> None:
    rows = json_posts(20)
    rows[3]["score"] = 2**40
    del rows[8]["external_id"]
    path = write_jsonl(tmp_path / "posts.jsonl", rows)
    lines = path.read_bytes().splitlines(keepends=True)
    lines.insert(12, b"\xff\xfe not json\n")
    path.write_bytes(b"".join(lines))
    run = await run_it(resources, ImportPosts(url=str(path), site=SITE))
    assert run.state == State.SUCCEEDED
    assert counts(run)["posts"] == {
        "records_read": 21,
        "inserted": 18,
        "updated": 0,
        "unchanged": 0,
        "rejected": 3,
    }
    async with resources.database.reading() as session:
        rejects = (await session.scalars(select(Reject).order_by(Reject.position))).all()
        starts = [sum(map(len, lines[:n])) for n in (3, 8, 12)]
        assert [reject.position for reject in rejects] == starts
        raws = [await reject.awaitable_attrs.raw for reject in rejects]
    assert [raw.strip() for raw in raws] == [lines[n].strip() for n in (3, 8, 12)]
    assert [reject.rule for reject in rejects][:2] == ["range", "missing"]
    assert all(reject.reason and reject.source == str(path) for reject in rejects)


async def test_fields_that_are_not_kept_are_counted(resources: Resources, tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "posts.jsonl", [row | {"mood": "good"} for row in json_posts(4)])
    run = await run_it(resources, ImportPosts(url=str(path), site=SITE))
    assert [receipt.unknown_fields for receipt in run.receipts] == [{"mood": 4}]


@many_writers
async def test_large_records_make_smaller_batches_and_none_is_lost(
    resources: Resources, tmp_path: Path
) -> None:
    rows = [row | {"content": "x" * 6_000_000} for row in json_posts(4)]
    path = write_jsonl(tmp_path / "posts.jsonl", [*rows, *json_posts(9)[4:]])
    context = await running(resources)
    checkpoints = []

    class Seen(type(context)):  # type: ignore[misc]
        @asynccontextmanager
        async def batch(self) -> Any:
            async with super().batch() as batch:
                yield batch
            checkpoints.append(batch.checkpoint)

    seen = Seen(context.run_id, context.attempt, context.database)
    await load(seen, layouts_of([str(path)], "auto"), SITE, writer_for(resources.database))
    assert len({c["offset"] for c in checkpoints if c and c["file"] == 0}) == 2
    assert len(await posts_of(resources.database)) == 9


async def test_a_missing_file_fails_the_run_at_once(resources: Resources, tmp_path: Path) -> None:
    run_id = await resources.client.enqueue(ImportPosts(url=str(tmp_path / "none.jsonl"), site=SITE))
    outcome = await Executor(resources).execute(run_id)
    assert isinstance(outcome, Failed)
    assert "none.jsonl" in outcome.error


async def test_an_import_of_a_file_without_records_succeeds_empty(
    resources: Resources, tmp_path: Path
) -> None:
    (tmp_path / "Posts.xml").write_text('<?xml version="1.0"?>\n<posts>\n</posts>\n')
    run_id = await resources.client.enqueue(ImportDump(urls=(str(tmp_path),), site=SITE))
    assert isinstance(await Executor(resources).execute(run_id), Succeeded)
    async with resources.database.reading() as session:
        assert await session.scalar(select(func.count()).select_from(Receipt)) == 0


def test_file_urls_are_paths_and_other_urls_are_refused(tmp_path: Path) -> None:
    assert local_path((tmp_path / "a b").as_uri()) == tmp_path / "a b"
    with pytest.raises(InputError, match="https"):
        local_path("https://example.org/Posts.xml")


@pytest.mark.parametrize("url", ["//[", "file://[/x", "http://[::1/x"])
def test_what_is_no_url_is_refused_in_one_line(url: str) -> None:
    with pytest.raises(InputError, match=r"Invalid IPv6 URL$") as caught:
        local_path(url)
    assert str(caught.value).startswith(f"{url}: ")
