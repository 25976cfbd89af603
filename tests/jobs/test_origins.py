"""A row's origin is its file, place and run, and the bytes of its record for as long as they are there."""

from __future__ import annotations

import bz2
import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import delete

from jobs.import_requests import ImportRecords
from jobs.loading import layouts_of, load
from jobs.origins import origin_of
from jobs.verifying.run import verify_run
from models import Run
from models.post import Post
from models.post_changes import update_post
from models.post_search import post_by_key
from models.tag import tag_by_name
from models.user import user_by_key
from tests.conftest import every_database
from tests.factories import SITE, json_posts, json_users, running, write_csv, write_jsonl, writer_for
from worker.main import run_worker

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID

    from worker.resources import Resources


async def loaded(resources: Resources, path: Path) -> UUID:
    context = await running(resources, batch_size=10)
    await load(context, layouts_of([str(path)], "auto"), SITE, writer_for(resources.database))
    return context.run_id


async def origin_of_post(resources: Resources, key: str, **options: Any) -> dict[str, Any]:
    async with resources.database.reporting(fresh=True) as session:
        post = await post_by_key(session, SITE, key)
        assert isinstance(post, Post)
        return await origin_of(session, post, **options)


@every_database
async def test_a_row_is_explained_by_its_file_place_run_and_bytes(
    resources: Resources, tmp_path: Path
) -> None:
    write_jsonl(tmp_path / "users.jsonl", json_users(3))
    path = write_jsonl(tmp_path / "posts.jsonl", json_posts(25))
    run_id = await loaded(resources, tmp_path)
    origin = await origin_of_post(resources, "13")
    lines = path.read_bytes().splitlines(keepends=True)
    assert origin["raw"] == lines[13].rstrip()
    file, run = origin["file"], origin["run"]
    assert (file["path"], file["format"], file["is"]) == (str(path), "jsonl", "unchanged")
    assert file["position"] == sum(map(len, lines[:13]))
    assert (run["run_id"], run["job"], run["state"]) == (str(run_id), "refresh_author_stats", "running")
    async with resources.database.reporting(fresh=True) as session:
        user, tag = await user_by_key(session, SITE, "2"), await tag_by_name(session, "tag-3")
        assert user is not None
        assert tag is not None
        assert json.loads((await origin_of(session, user))["raw"])["name"] == "user 2"
        of_tag = await origin_of(session, tag)
    assert (of_tag["file"]["path"], of_tag["file"]["position"], of_tag["raw"]) == (str(path), None, None)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress])
async def test_the_bytes_in_a_compressed_file_are_unpacked(
    resources: Resources, tmp_path: Path, pack: Any
) -> None:
    plain = write_csv(tmp_path / "posts.csv", json_posts(300)).read_bytes()
    (tmp_path / "posts.csv").unlink()
    (tmp_path / "posts.csv.packed").write_bytes(pack(plain))
    await loaded(resources, tmp_path / "posts.csv.packed")
    origin = await origin_of_post(resources, "250")
    assert origin["raw"].startswith(b"250,")
    origin = await origin_of_post(resources, "250", most_unpacked_bytes=1_000)
    assert origin["raw"] is None
    assert "compressed" in origin["why_no_raw"]


async def test_a_large_record_is_shown_up_to_64_kib(resources: Resources, tmp_path: Path) -> None:
    [row] = json_posts(1)
    await loaded(resources, write_jsonl(tmp_path / "posts.jsonl", [row | {"content": "x" * 3_000_000}]))
    assert len((await origin_of_post(resources, "0"))["raw"]) == 64 * 1024


@every_database
async def test_what_is_no_longer_there_is_said(resources: Resources, tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "posts.jsonl", json_posts(3))
    run_id = await loaded(resources, path)
    write_jsonl(path, json_posts(4))
    origin = await origin_of_post(resources, "1")
    assert (origin["raw"], origin["why_no_raw"]) == (None, "the file is changed")
    path.unlink()
    async with resources.database.writing.begin() as session:
        await session.execute(delete(Run))
    origin = await origin_of_post(resources, "1")
    assert (origin["why_no_raw"], origin["file"]["is"]) == ("the file is gone", "gone")
    assert (origin["run"]["run_id"], origin["run"]["job"]) == (str(run_id), None)
    async with resources.database.writing.begin() as session:
        post = await post_by_key(session, SITE, "1")
        assert post is not None
        await update_post(session, post.id, {"score": 5})
    origin = await origin_of_post(resources, "1")
    assert (origin["file"], origin["run"], origin["repairs"]) == (None, None, None)


@every_database
async def test_a_record_that_came_with_a_request_is_explained_and_verified_by_its_run(
    resources: Resources,
) -> None:
    request = ImportRecords(site=SITE, posts=tuple(json_posts(3)), tags=({"name": "all"},))
    run_id = await resources.client.enqueue(request)
    await run_worker(resources, burst=True)
    origin = await origin_of_post(resources, "2")
    assert json.loads(origin["raw"])["content"] == "text of post 2"
    file = origin["file"]
    assert (file["path"], file["format"], file["position"]) == (None, "records", 2)
    assert (origin["run"]["run_id"], origin["run"]["job"]) == (str(run_id), "import_records")
    async with resources.database.reporting(fresh=True) as session:
        found = await verify_run(session, run_id)
    assert found["sound"], found["wrong"]
    assert (found["entities"]["posts"]["as_loaded"], found["entities"]["tags"]["as_loaded"]) == (3, 1)
    async with resources.database.writing.begin() as session:
        await session.execute(delete(Run))
    assert "pruned" in (await origin_of_post(resources, "2"))["why_no_raw"]
