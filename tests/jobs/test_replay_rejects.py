"""Rejects that are replayed after a fix: once, and as if they had never been rejected."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, update

from jobs.errors import InputError
from jobs.import_requests import ImportDump, ImportPosts
from jobs.replay_rejects import replay_rejects
from jobs.replaying import Replaying
from jobs.requests import RefreshAuthorStats, ReplayRejects, RevertRun
from models import Reject, Run
from models.family import parts_of
from models.post_changes import update_post
from models.reject import rejects_by_rule
from models.run import State
from models.run_file import RunFile
from tests.conftest import every_database, many_writers
from tests.factories import SITE, json_posts, posts_of, run_of, running, write_jsonl, writer_for
from tests.jobs.replays import (
    another,
    content,
    counts,
    imported,
    lift,
    performed,
    refuse,
    rejects,
    replayed,
    shorten_titles,
    site,
    unlike,
    write,
)
from tests.jobs.test_loading import again, stop_after
from worker.execution import Executor
from worker.main import run_worker
from worker.outcomes import Failed

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID

    from tests.chaos.truth import Rows
    from worker.embedded import Services
    from worker.resources import Resources


@pytest.fixture(params=["jsonl", "csv", "stackexchange", "parquet"])
def dump(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The site in each format."""
    if request.param == "parquet":
        pytest.importorskip("pyarrow")
    return write(tmp_path / "dump", request.param, site())


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    """The site as JSON Lines."""
    return write(tmp_path / "dump", "jsonl", site())


async def clean(
    backend: str, services: Services, request: pytest.FixtureRequest, folder: Path
) -> dict[str, Rows]:
    """What an import of the folder leaves in a database that refuses nothing."""
    async with another(backend, services, request, folder.with_name("another")) as resources:
        await imported(resources, folder)
        return await content(resources)


async def to_the_end(replaying: Replaying) -> None:
    while await replaying.next_batch():
        pass


@every_database
async def test_after_a_fix_tables_and_statistics_are_those_of_a_clean_import(
    backend: str,
    services: Services,
    request: pytest.FixtureRequest,
    resources: Resources,
    dump: Path,
) -> None:
    await refuse(resources)
    rejected = await imported(resources, dump)
    assert counts(rejected)["users"]["rejected"] == 2
    assert counts(rejected)["posts"]["rejected"] == 11
    await lift(resources)
    replay = await replayed(resources, rejected.id)
    assert counts(replay) == {
        "users": {"records_read": 2, "inserted": 2},
        # The earlier version of 10 is older than what the later one has left; the later one of 11 is newer.
        "posts": {"records_read": 11, "inserted": 9, "updated": 1, "skipped": 1},
    }
    assert {reject.replayed_by for reject in await rejects(resources)} == {replay.id}
    expected = await clean(backend, services, request, dump)
    assert unlike(await content(resources), expected) == []
    second = await replayed(resources, rejected.id)
    assert counts(second) == {}
    assert unlike(await content(resources), expected) == []


@every_database
@pytest.mark.parametrize("batches", [0, 2])
async def test_a_replay_that_is_killed_in_the_middle_goes_on_and_loads_nothing_twice(
    backend: str,
    services: Services,
    request: pytest.FixtureRequest,
    resources: Resources,
    lines: Path,
    batches: int,
) -> None:
    await refuse(resources)
    rejected = await imported(resources, lines)
    await lift(resources)
    context = await running(resources, ReplayRejects(run=rejected.id), batch_size=3)
    dying = Replaying(context, rejected.id, None, stop_after(batches, writer_for(resources.database)))
    with pytest.raises(RuntimeError, match="crash"):
        await to_the_end(dying)
    second = await again(resources, context)
    await replay_rejects(second, ReplayRejects(run=rejected.id))
    assert counts(await run_of(resources, context.run_id)) == {
        "users": {"records_read": 2, "inserted": 2},
        "posts": {"records_read": 11, "inserted": 9, "updated": 1, "skipped": 1},
    }
    assert unlike(await content(resources), await clean(backend, services, request, lines)) == []


@many_writers
async def test_two_replays_at_once_load_each_record_once(resources: Resources, lines: Path) -> None:
    await refuse(resources)
    rejected = await imported(resources, lines)
    await lift(resources)
    both = [await running(resources, ReplayRejects(run=rejected.id), batch_size=2) for _ in range(2)]
    await asyncio.gather(*(replay_rejects(each, ReplayRejects(run=rejected.id)) for each in both))
    found = [counts(await run_of(resources, each.run_id)) for each in both]
    read = sum(receipt.get("records_read", 0) for each in found for receipt in each.values())
    inserted = sum(receipt.get("inserted", 0) for each in found for receipt in each.values())
    assert (read, inserted) == (13, 11)


async def test_replays_of_one_run_wait_for_one_another(resources: Resources, lines: Path) -> None:
    rejected = await imported(resources, lines)
    first, second = await resources.client.enqueue_many([ReplayRejects(run=rejected.id)] * 2)
    executor = Executor(resources)
    async with resources.database.writing.begin() as session:
        taken = await executor.claim(session, [first, second])
    assert len(taken) == 1


@every_database
async def test_only_the_rejects_of_a_rule_are_replayed(
    resources: Resources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = json_posts(20)
    rows[3]["title"] = "long" * 10
    rows[5]["score"] = 2**33
    rows[7]["score"] = "many"
    path = write_jsonl(tmp_path / "posts.jsonl", rows)
    with monkeypatch.context() as older_version:
        shorten_titles(older_version, 30)
        run_id = await resources.client.enqueue(ImportPosts(url=str(path), site=SITE))
        await performed(resources, run_id)
    replay = await replayed(resources, run_id, "length")
    assert counts(replay) == {"posts": {"records_read": 1, "inserted": 1}}
    async with resources.database.reading() as session:
        found = await rejects_by_rule(session, run_id)
    assert {rule: tuple(count) for rule, count in found.items()} == {
        "length": (0, 1),
        "number": (1, 0),
        "range": (1, 0),
    }


@every_database
async def test_what_still_fails_stays_open_with_its_new_reason(
    resources: Resources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = json_posts(9)
    rows[3] |= {"title": "long" * 10, "score": 10}
    path = write_jsonl(tmp_path / "posts.jsonl", rows)
    run_id = await resources.client.enqueue(ImportPosts(url=str(path), site=SITE))
    with monkeypatch.context() as older_version:
        shorten_titles(older_version, 30)
        await performed(resources, run_id)
    await refuse(resources)
    replay = await replayed(resources, run_id)
    assert counts(replay) == {"posts": {"records_read": 1, "rejected": 1}}
    [reject] = await rejects(resources)
    assert (reject.rule, reject.replayed_by) == ("database", None)
    assert "refused" in reject.reason
    await lift(resources)
    assert counts(await replayed(resources, run_id)) == {"posts": {"records_read": 1, "inserted": 1}}


@every_database
async def test_what_is_newer_by_now_is_left_as_it_is(resources: Resources, tmp_path: Path) -> None:
    await refuse(resources)
    rows = json_posts(4)
    for row in rows[1:]:
        row["score"] = 9
    old = await performed(
        resources,
        await resources.client.enqueue(
            ImportPosts(url=str(write_jsonl(tmp_path / "old.jsonl", rows)), site=SITE)
        ),
    )
    newer = json_posts(3)
    for row in newer:
        row["title"] = "newer"
    path = write_jsonl(tmp_path / "new.jsonl", newer)
    await performed(resources, await resources.client.enqueue(ImportPosts(url=str(path), site=SITE)))
    by_hand = (await posts_of(resources.database))["2"]
    async with resources.database.writing.begin() as session:
        await update_post(session, by_hand.id, {"title": "by hand"})
    await lift(resources)
    replay = await replayed(resources, old.id)
    assert counts(replay) == {"posts": {"records_read": 3, "inserted": 1, "skipped": 2}}
    titles = {key: post.title for key, post in (await posts_of(resources.database)).items()}
    assert titles == {"0": "newer", "1": "newer", "2": "by hand", "3": None}
    assert {reject.replayed_by for reject in await rejects(resources)} == {replay.id}


@every_database
async def test_the_rejects_of_parts_are_replayed_with_the_whole(resources: Resources, lines: Path) -> None:
    await refuse(resources)
    run_id = await resources.client.enqueue(ImportDump(urls=(str(lines),), site=SITE, split=True))
    await run_worker(resources, burst=True)
    async with resources.database.reading() as session:
        assert {part.state for part in await parts_of(session, run_id)} == {State.SUCCEEDED}
    await lift(resources)
    assert counts(await replayed(resources, run_id)) == {
        "users": {"records_read": 2, "inserted": 2},
        "posts": {"records_read": 11, "inserted": 9, "updated": 1, "skipped": 1},
    }


async def test_rows_name_the_record_that_was_rejected(resources: Resources, lines: Path) -> None:
    await refuse(resources)
    rejected = await imported(resources, lines)
    await lift(resources)
    await replayed(resources, rejected.id)
    async with resources.database.reading() as session:
        [file] = await session.scalars(select(RunFile).where(RunFile.entity == "posts"))
    post = (await posts_of(resources.database))["21"]
    line = (lines / "posts.jsonl").read_bytes()[post.position or 0 :].splitlines()[0]
    assert (post.file_id, json.loads(line)["external_id"]) == (file.id, 21)


async def test_a_replay_of_what_has_no_rejects_is_refused(resources: Resources) -> None:
    refresh = await resources.client.enqueue(RefreshAuthorStats())
    for run_id, says in ((refresh, "has no rejects"), (await gone(resources), "there is no run")):
        context = await running(resources, ReplayRejects(run=run_id))
        with pytest.raises(InputError, match=says):
            await replay_rejects(context, ReplayRejects(run=run_id))


async def gone(resources: Resources) -> UUID:
    run_id = await resources.client.enqueue(RefreshAuthorStats())
    async with resources.database.writing.begin() as session:
        await session.delete(await session.get_one(Run, run_id))
    return run_id


@every_database
async def test_undoing_an_import_undoes_what_was_replayed_of_it_and_ends_its_replays(
    resources: Resources, tmp_path: Path
) -> None:
    sound = [row | {"score": 2} for row in json_posts(30)]
    before = write_jsonl(tmp_path / "before.posts.jsonl", sound[10:])
    await performed(resources, await resources.client.enqueue(ImportPosts(url=str(before), site=SITE)))
    expected = await content(resources)
    await refuse(resources)
    rows = [*sound]
    for row in rows[5:25]:
        row |= {"title": "changed", "score": 8}
    path = write_jsonl(tmp_path / "posts.jsonl", rows)
    rejected = await performed(
        resources, await resources.client.enqueue(ImportPosts(url=str(path), site=SITE))
    )
    await lift(resources)
    assert counts(await replayed(resources, rejected.id)) == {
        "posts": {"records_read": 20, "inserted": 5, "updated": 15}
    }
    async with resources.database.writing.begin() as session:
        await session.execute(update(Reject).where(Reject.position < 2_000).values(replayed_by=None))
    await performed(resources, await resources.client.enqueue(RevertRun(run=rejected.id)))
    assert unlike(await content(resources), expected) == []
    replay = await resources.client.enqueue(ReplayRejects(run=rejected.id))
    outcome = await Executor(resources).execute(replay)
    assert isinstance(outcome, Failed)
    assert f"run {rejected.id} was undone by run" in outcome.error
    assert unlike(await content(resources), expected) == []
