"""A site that is loaded from two dumps, the second as a snapshot, is what the second alone would make it."""

from __future__ import annotations

import asyncio
import shutil
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import structs
from sqlalchemy import select

from jobs.import_requests import ImportDump, ImportPosts
from jobs.snapshots import noting
from jobs.writers.posts import write_posts
from models import Post, Run, SeenRow, State, User
from models.run_file import Origin
from models.stats_upkeep import drifted
from tests.chaos.truth import Rows, differences, truth
from tests.chaos.undisturbed import SITE, undisturbed_import
from tests.conftest import BACKENDS, every_database
from tests.contents import contents
from tests.factories import (
    count_of,
    json_posts,
    json_users,
    post,
    run_of,
    running,
    user,
    write_jsonl,
    writer_for,
)
from tests.stumbling import stumble_through
from tests.two_dumps import cut, write_two_dumps
from tests.worker.carried_out import done
from worker.main import run_worker

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import CommandLine
    from worker.embedded import Services
    from worker.resources import Resources
    from worker.settings import Settings

LOADED = ("users", "posts", "tags", "post_tags", "author_stats", "stale_authors")


@pytest.fixture(scope="session")
def dumps(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return write_two_dumps(tmp_path_factory.mktemp("two"))


@pytest.fixture(scope="session")
def fresh(
    dumps: tuple[Path, Path],
    services: Services,
    sqlite_template: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Rows]:
    """What the second dump makes of an empty database."""
    path = tmp_path_factory.mktemp("fresh") / "headrace.db"
    shutil.copy(sqlite_template, path)
    with ThreadPoolExecutor(1) as threads:  # the test that asks first has a loop running already
        import_it = undisturbed_import(dumps[1], path, services.redis_url)
        return loaded(threads.submit(lambda: asyncio.run(import_it)).result())


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Settings with small batches."""
    return settings.model_copy(update={"batch_size": 50})


def loaded(rows: dict[str, Rows]) -> dict[str, Rows]:
    return {table: rows[table] for table in LOADED}


def dump(folder: Path, **how: Any) -> ImportDump:
    return ImportDump(urls=(str(folder),), site=SITE, **how)


async def check_equal(resources: Resources, fresh: dict[str, Rows]) -> None:
    assert differences(loaded(await truth(resources.database)), fresh) == []
    assert await count_of(resources.database, SeenRow) == 0
    async with resources.database.reading() as session:
        assert await drifted(session) == 0


def cases() -> list[Any]:
    writers = {"postgresql": ("copy", "add_all")}
    return [
        pytest.param(backend, writer, split, id=f"{backend}-{writer}-{'split' if split else 'whole'}")
        for backend in BACKENDS
        for writer in writers.get(backend, ("add_all",))
        for split in (False, True)
    ]


@pytest.mark.parametrize(("backend", "writer", "split"), cases(), indirect=["backend"])
async def test_after_a_snapshot_all_is_as_a_fresh_import_leaves_it(
    resources: Resources,
    dumps: tuple[Path, Path],
    fresh: dict[str, Rows],
    writer: Any,
    split: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    await done(resources, dump(dumps[0], writer=writer))
    second = dump(dumps[1], writer=writer, split=split, snapshot=True)
    run = await done(resources, second)
    assert run["state"] == State.SUCCEEDED, run["error"]
    await check_equal(resources, fresh)
    deleted = {entity: counts["deleted"] for entity, counts in run["entities"].items()}
    assert run["result"]["vanished"] == {entity: deleted[entity] for entity in ("posts", "users")}
    assert min(deleted.values()) > 0
    before = await contents(resources.database)
    again = await done(resources, second)
    assert (again["inserted"], again["updated"], again["deleted"]) == (0, 0, 0)
    assert await contents(resources.database) == before


@every_database
async def test_a_snapshot_that_is_cut_off_after_every_few_batches_leaves_the_same(
    resources: Resources, dumps: tuple[Path, Path], fresh: dict[str, Rows]
) -> None:
    await done(resources, dump(dumps[0]))
    for _ in range(2):  # the second time nothing vanishes
        assert await stumble_through(resources, dump(dumps[1], snapshot=True)) > 5
        await check_equal(resources, fresh)


@every_database
async def test_a_dump_that_was_cut_off_is_refused_and_deletes_nothing_unless_forced(
    resources: Resources, tmp_path: Path
) -> None:
    whole = write_jsonl(tmp_path / "posts.jsonl", json_posts(200))
    await done(resources, ImportPosts(url=str(whole), site=SITE))
    part = cut(whole, tmp_path / "part.posts.jsonl", 0.4)
    with part.open("a") as file:
        file.write(whole.read_text().splitlines(keepends=True)[150].replace('"score": ', '"score": 1'))
    request = ImportPosts(url=str(part), site=SITE, snapshot=True)
    run = await done(resources, request)
    assert (run["state"], run["attempt"], run["updated"], run["deleted"]) == (State.FAILED, 1, 1, 0)
    assert run["error"] == (
        f"the files lack 119 of 200 posts of {SITE}; beyond 25 % they are taken for cut off: nothing was "
        "deleted or marked; look at the files, and import them with --force if they are whole"
    )
    assert await count_of(resources.database, Post) == 200
    run = await done(resources, request.model_copy(update={"force": True}))
    assert (run["state"], run["deleted"]) == (State.SUCCEEDED, 119)
    assert await count_of(resources.database, Post) == 81


async def test_the_share_is_a_setting(headrace: CommandLine, resources: Resources, tmp_path: Path) -> None:
    whole = write_jsonl(tmp_path / "posts.jsonl", json_posts(10))
    await done(resources, ImportPosts(url=str(whole), site=SITE))
    part = cut(whole, tmp_path / "part.posts.jsonl", 0.5)
    command = ("import", part, "--site", SITE, "--snapshot", "--with-worker", "--json")
    refused = await asyncio.to_thread(headrace, *command)
    assert (refused.code, "lack 5 of 10 posts" in refused.err) == (1, True)
    taken = await asyncio.to_thread(headrace, *command, HEADRACE_VANISH_PERCENT="50")
    assert (taken.code, taken.json["deleted"], taken.json["result"]["vanished"]) == (0, 5, {"posts": 5})


@every_database
async def test_files_without_a_single_record_empty_no_site(resources: Resources, tmp_path: Path) -> None:
    folder = tmp_path / "dump"
    folder.mkdir()
    write_jsonl(folder / "posts.jsonl", json_posts(5))
    write_jsonl(folder / "users.jsonl", json_users(7))
    await done(resources, dump(folder))
    (folder / "users.jsonl").write_text('{"external_id": null}\n')
    resources.settings.__dict__["vanish_percent"] = 100.0
    run = await done(resources, dump(folder, snapshot=True))
    assert run["state"] == State.FAILED
    assert "the files lack 7 of 7 users" in run["error"]
    assert await count_of(resources.database, User) == 7


async def test_one_dump_of_a_site_is_loaded_at_a_time_until_its_last_part(
    resources: Resources, tmp_path: Path
) -> None:
    posts = write_jsonl(tmp_path / "posts.jsonl", json_posts(20))
    asked = [
        ImportDump(urls=(str(posts),), site=SITE, split=True, snapshot=True),
        ImportPosts(url=str(posts), site=SITE, snapshot=True),
        dump(tmp_path),
    ]
    ids = [await resources.client.enqueue(request) for request in asked]
    await run_worker(resources, burst=True)
    async with resources.database.reading() as session:
        parts = await session.scalars(select(Run).where(Run.parent_id == ids[0]))
        ends = [max(part.finished_at for part in parts if part.finished_at)]
    runs = [await run_of(resources, run_id) for run_id in ids[1:]]
    for run in sorted(runs, key=lambda run: run.started_at or run.created_at):
        assert run.state == State.SUCCEEDED
        assert run.started_at is not None
        assert run.started_at >= max(ends)
        ends.append(run.finished_at or run.created_at)


@every_database
async def test_an_author_whom_a_post_carries_is_in_the_snapshot(resources: Resources) -> None:
    context = await running(resources)
    record = structs.replace(post(1, author=7), author=user(7))
    write = noting(partial(write_posts, writer_for(resources.database)), "posts")
    async with resources.database.writing.begin() as session:
        await write(session, Origin(SITE, root_id=context.root_id), [record])
        seen = {row.entity: row.row_id for row in await session.scalars(select(SeenRow))}
        assert seen == {
            "posts": await session.scalar(select(Post.id)),
            "users": await session.scalar(select(User.id)),
        }
