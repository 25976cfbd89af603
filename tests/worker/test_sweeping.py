"""What becomes of rows that a snapshot lacks: nothing, a mark, or they are deleted; others are left alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from jobs.errors import InputError
from jobs.import_requests import ImportDump, ImportPosts, ImportUsers
from jobs.loading import layouts_of, load, load_files
from jobs.requests import SweepSite
from jobs.snapshots import Snapshot
from models import Post, State, Tag
from models.stats_upkeep import drifted
from tests.conftest import every_database
from tests.contents import contents
from tests.factories import SITE, count_of, json_posts, json_users, posts_of, running, write_jsonl, writer_for
from tests.two_dumps import cut
from tests.worker.carried_out import done
from worker.execution import Executor
from worker.outcomes import Succeeded

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import CommandLine
    from worker.resources import Resources


@every_database
async def test_marks_are_set_and_taken_off_by_records_that_come_back(
    resources: Resources, tmp_path: Path
) -> None:
    whole = write_jsonl(tmp_path / "posts.jsonl", json_posts(20))
    part = cut(whole, tmp_path / "part.posts.jsonl", 0.9)
    await done(resources, ImportPosts(url=str(whole), site=SITE))
    run = await done(resources, ImportPosts(url=str(part), site=SITE, snapshot=True, missing="mark"))
    assert (run["deleted"], run["result"]["vanished"]) == (0, {"posts": 2})
    marked = {key: row.missing_since for key, row in (await posts_of(resources.database)).items()}
    assert {key for key, since in marked.items() if since} == {"18", "19"}
    run = await done(resources, ImportPosts(url=str(part), site=SITE, snapshot=True, missing="mark"))
    assert run["result"]["vanished"] == {"posts": 0}
    assert {k: p.missing_since for k, p in (await posts_of(resources.database)).items()} == marked
    run = await done(resources, ImportPosts(url=str(whole), site=SITE))
    assert (run["updated"], run["unchanged"]) == (2, 18)
    assert await count_of(resources.database, Post, Post.missing_since.is_not(None)) == 0


@every_database
async def test_what_is_kept_is_only_counted(resources: Resources, tmp_path: Path) -> None:
    whole = write_jsonl(tmp_path / "posts.jsonl", json_posts(20))
    await done(resources, ImportPosts(url=str(whole), site=SITE))
    before = await contents(resources.database)
    part = cut(whole, tmp_path / "part.posts.jsonl", 0.5)
    run = await done(resources, ImportPosts(url=str(part), site=SITE, snapshot=True, missing="keep"))
    assert (run["state"], run["result"]["vanished"]) == (State.SUCCEEDED, {"posts": 10})
    assert await contents(resources.database) == before


@every_database
async def test_a_snapshot_of_users_alone_leaves_posts_with_the_names_of_those_who_went(
    resources: Resources, tmp_path: Path
) -> None:
    await done(
        resources, ImportPosts(url=str(write_jsonl(tmp_path / "posts.jsonl", json_posts(20))), site=SITE)
    )
    users = write_jsonl(tmp_path / "users.jsonl", json_users(7))
    await done(resources, ImportUsers(url=str(users), site=SITE))
    rest = cut(users, tmp_path / "rest.users.jsonl", 0.9)
    run = await done(resources, ImportUsers(url=str(rest), site=SITE, snapshot=True))
    assert (run["deleted"], await count_of(resources.database, Post)) == (1, 20)
    left = (await posts_of(resources.database))["6"]
    assert (left.author_id, left.author_external_id, left.author_name) == (None, "6", "user 6")
    async with resources.database.reading() as session:
        assert await drifted(session) == 0


@every_database
async def test_a_snapshot_leaves_other_sites_alone_and_tags_that_they_have(
    resources: Resources, tmp_path: Path
) -> None:
    rows = json_posts(20)
    mine = write_jsonl(tmp_path / "posts.jsonl", [row | {"tags": ["mine", "both"]} for row in rows])
    others = write_jsonl(tmp_path / "other.posts.jsonl", [row | {"tags": ["both", "theirs"]} for row in rows])
    names = write_jsonl(tmp_path / "other.tags.jsonl", [{"name": "named-by-them"}])
    await done(resources, ImportPosts(url=str(mine), site=SITE))
    for path in (others, names):
        await done(resources, ImportDump(urls=(str(path),), site="other"))
    bare = write_jsonl(tmp_path / "bare.posts.jsonl", [row | {"tags": []} for row in rows])
    await done(resources, ImportPosts(url=str(bare), site=SITE, snapshot=True))
    assert len(await posts_of(resources.database, "other")) == 20
    async with resources.database.reading() as session:
        assert set(await session.scalars(select(Tag.name))) == {"both", "theirs", "named-by-them"}


@every_database
async def test_what_another_import_brought_meanwhile_is_not_swept_away(
    resources: Resources, tmp_path: Path
) -> None:
    posts = write_jsonl(tmp_path / "posts.jsonl", json_posts(20))
    await done(resources, ImportPosts(url=str(posts), site=SITE))
    context = await running(resources)
    layouts = layouts_of([str(cut(posts, tmp_path / "part.posts.jsonl", 0.9))], "auto")
    how = (context, layouts, SITE, writer_for(resources.database))
    snapshot = Snapshot("delete", force=True)
    await load_files(*how, snapshot=snapshot)
    more = write_jsonl(tmp_path / "more.posts.jsonl", json_posts(30)[25:])
    newer = await resources.client.enqueue(ImportPosts(url=str(more), site=SITE))
    assert isinstance(await Executor(resources).execute(newer), Succeeded)
    with pytest.raises(InputError, match=f"run {newer} has written to {SITE} since"):
        await load(*how, snapshot=snapshot)
    assert await count_of(resources.database, Post) == 25


async def test_a_sweep_that_is_asked_for_by_itself_is_refused(resources: Resources, tmp_path: Path) -> None:
    posts = write_jsonl(tmp_path / "posts.jsonl", json_posts(20))
    await done(resources, ImportPosts(url=str(posts), site=SITE))
    run = await done(resources, SweepSite(site=SITE, entities=("posts",), force=True))
    assert run["state"] == State.FAILED
    assert await count_of(resources.database, Post) == 20


def test_what_becomes_of_missing_rows_is_for_snapshots(headrace: CommandLine, tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "posts.jsonl", json_posts(2))
    for option in (("--missing", "mark"), ("--force",)):
        refused = headrace("import", path, "--site", SITE, *option)
        assert refused.code == 2
        assert "--missing and --force are for --snapshot" in refused.err
