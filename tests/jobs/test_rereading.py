"""Rejects read once more: what was kept is enough, or their file is, as long as it is as it was."""

from __future__ import annotations

import gzip
import os
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, update

from jobs.import_requests import ImportPosts
from jobs.requests import ReplayRejects
from jobs.rereading import read_again
from jobs.sources.record import BadRecord
from models import Post, Reject
from models.run_file import RunFile, files_of
from tests.conftest import every_database
from tests.factories import SITE, json_posts, posts_of, write_jsonl
from tests.jobs.replays import FORMATS, counts, lift, performed, refuse, rejects, replayed

if TYPE_CHECKING:
    from pathlib import Path

    from worker.resources import Resources


@pytest.mark.parametrize("changed", [False, True])
async def test_a_record_that_was_kept_in_part_is_read_from_its_file_if_that_is_as_it_was(
    resources: Resources, tmp_path: Path, *, changed: bool
) -> None:
    await refuse(resources)
    rows = json_posts(5)
    rows[2] |= {"score": 9, "content": "words " * 20_000}
    path = write_jsonl(tmp_path / "posts.jsonl", rows)
    run_id = await resources.client.enqueue(ImportPosts(url=str(path), site=SITE))
    await performed(resources, run_id)
    await lift(resources)
    if changed:
        os.utime(path, (1, 1))
    replay = await replayed(resources, run_id)
    if changed:
        assert counts(replay) == {"posts": {"records_read": 1, "rejected": 1}}
        [reject] = await rejects(resources)
        assert reject.reason == (
            f"only the first 64 KiB of the record were kept, and {path} is not there as it was; "
            "import it again"
        )
    else:
        assert counts(replay) == {"posts": {"records_read": 1, "inserted": 1}}
        assert (await posts_of(resources.database))["2"].word_count == 20_000


@every_database
@pytest.mark.parametrize("changed", [False, True])
async def test_rejects_of_a_version_that_kept_no_files_are_replayed_while_the_file_is_as_it_was(
    resources: Resources, tmp_path: Path, *, changed: bool
) -> None:
    await refuse(resources)
    rows = json_posts(25)
    path = write_jsonl(tmp_path / "posts.jsonl", rows)
    run_id = await resources.client.enqueue(ImportPosts(url=str(path), site=SITE))
    await performed(resources, run_id)
    await lift(resources)
    async with resources.database.writing.begin() as session:
        await session.execute(update(Reject).values(next_position=None))
        await session.execute(update(Post).values(file_id=None, position=None))
        for file in await session.scalars(select(RunFile)):
            await session.delete(file)
    if changed:
        os.utime(path, (1, 1))
    replay = await replayed(resources, run_id)
    if changed:
        assert counts(replay) == {"posts": {"records_read": 2, "rejected": 2}}
        assert "import it again" in (await rejects(resources))[0].reason
    else:
        assert counts(replay) == {"posts": {"records_read": 2, "inserted": 2}}
        assert len(await posts_of(resources.database)) == 25


@pytest.mark.parametrize("size", [1, 100_000], ids=["small", "large"])
async def test_records_in_a_compressed_file_are_read_again(
    resources: Resources, tmp_path: Path, size: int
) -> None:
    await refuse(resources)
    rows = json_posts(40)
    for row in rows[5::10]:
        row |= {"score": 9, "content": "w " * size}
    path = write_jsonl(tmp_path / "posts.jsonl", rows)
    (packed := tmp_path / "posts.jsonl.gz").write_bytes(gzip.compress(path.read_bytes()))
    run_id = await resources.client.enqueue(ImportPosts(url=str(packed), site=SITE))
    assert counts(await performed(resources, run_id))["posts"]["rejected"] == 7
    await lift(resources)
    assert counts(await replayed(resources, run_id)) == {"posts": {"records_read": 7, "inserted": 7}}
    assert (await posts_of(resources.database))["25"].word_count == size


@pytest.mark.parametrize("is_there", [True, False])
@pytest.mark.parametrize("format_", FORMATS)
async def test_what_is_wrong_with_a_record_is_found_again(
    resources: Resources, tmp_path: Path, format_: str, *, is_there: bool
) -> None:
    rows = json_posts(6)
    for row in rows:
        row["score"] = str(row["score"])
    rows[2]["score"] = "many"
    rows[4]["created_at"] = "yesterday"
    path = FORMATS[format_](tmp_path, "posts", rows)
    if format_ != "parquet":
        broken = {
            "jsonl": b'{"external_id": "\xff"}',
            "csv": b'"never closed',
            "stackexchange": b"<row Id='9",
        }
        first, *others = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(b"".join([first, *others[:3], broken[format_], b"\n", *others[3:]]))
    run_id = await resources.client.enqueue(ImportPosts(url=str(path), site=SITE))
    await performed(resources, run_id)
    if not is_there:
        path.unlink()
    async with resources.database.reading() as session:
        [file] = await files_of(session, run_id)
    found = await rejects(resources)
    assert len(found) == (2 if format_ == "parquet" else 3)
    again = read_again(file, found)
    assert all(isinstance(item, BadRecord) for item in again)
    assert [item.rule for item in again] == [reject.rule for reject in found]  # type: ignore[union-attr]
    assert [(item.offset, item.end) for item in again] == [(r.position, r.next_position) for r in found]


async def test_a_corrected_mapping_takes_the_place_of_the_one_that_was_wrong(
    resources: Resources, tmp_path: Path
) -> None:
    rows = [{"id": n, "made": "2026-01-01" if n % 2 else None, "at": "2026-01-02"} for n in range(6)]
    path = write_jsonl(tmp_path / "posts.jsonl", rows)
    wrong, right = ({"external_id": "id", "created_at": name} for name in ("made", "at"))
    ask = ImportPosts.model_validate({"url": str(path), "site": SITE, "mapping": wrong})
    rejected = await performed(resources, await resources.client.enqueue(ask))
    assert counts(rejected)["posts"]["rejected"] == 3
    replay = ReplayRejects.model_validate({"run": rejected.id, "mapping": right})
    run = await performed(resources, await resources.client.enqueue(replay))
    assert counts(run) == {"posts": {"records_read": 3, "inserted": 3}}
