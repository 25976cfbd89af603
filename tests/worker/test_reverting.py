"""A run that is undone leaves everything as it was before."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from jobs.import_requests import ImportDump, ImportPosts, ImportRecords, ImportUsers
from jobs.requests import RefreshAuthorStats, ReplayRejects, RevertRun
from models import FormerRow, Post, State, User
from models.post_changes import create_post
from models.stats_upkeep import drifted
from models.user_changes import create_user
from tests.conftest import every_database
from tests.contents import contents
from tests.factories import SITE, count_of, json_posts, json_users, write_jsonl
from tests.stumbling import stumble_through
from tests.two_dumps import write_two_dumps
from tests.worker.carried_out import done

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import CommandLine
    from worker.resources import Resources
    from worker.settings import Settings


@pytest.fixture(scope="session")
def dumps(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return write_two_dumps(tmp_path_factory.mktemp("two"))


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Settings with small batches."""
    return settings.model_copy(update={"batch_size": 50})


def dump(folder: Path, **how: Any) -> ImportDump:
    return ImportDump(urls=(str(folder),), site=SITE, **how)


def reverting(run: dict[str, Any]) -> RevertRun:
    return RevertRun(run=run["run_id"])


@every_database
@pytest.mark.parametrize("split", [False, True])
async def test_a_reverted_snapshot_leaves_every_row_as_it_was_before(
    resources: Resources,
    dumps: tuple[Path, Path],
    split: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    await done(resources, dump(dumps[0]))
    before = await contents(resources.database)
    second = await done(resources, dump(dumps[1], snapshot=True, split=split))
    assert min(second[name] for name in ("inserted", "updated", "deleted")) > 0
    after = await contents(resources.database)
    run = await done(resources, reverting(second))
    assert (run["state"], run["error"]) == (State.SUCCEEDED, None)
    assert await contents(resources.database) == before
    for entity in ("users", "posts"):
        undone, did = run["entities"][entity], second["entities"][entity]
        assert (undone["deleted"], undone["inserted"]) == (did["inserted"], did["deleted"])
    assert run["result"] == {"reverted": second["run_id"], "site": SITE}
    assert await count_of(resources.database, FormerRow) == 0
    await done(resources, dump(dumps[1], snapshot=True, split=split))
    assert {name: len(rows) for name, rows in (await contents(resources.database)).items()} == {
        name: len(rows) for name, rows in after.items()
    }


@every_database
async def test_a_revert_that_is_cut_off_after_every_few_batches_leaves_the_same(
    resources: Resources, dumps: tuple[Path, Path]
) -> None:
    await done(resources, dump(dumps[0]))
    before = await contents(resources.database)
    second = await done(resources, dump(dumps[1], snapshot=True))
    assert await stumble_through(resources, reverting(second)) > 4
    assert await contents(resources.database) == before


@every_database
async def test_a_first_import_is_undone_to_nothing_and_a_second_revert_refused(
    resources: Resources, dumps: tuple[Path, Path]
) -> None:
    first = await done(resources, dump(dumps[0]))
    assert await count_of(resources.database, FormerRow) == 0  # what is inserted needs no note
    revert = await done(resources, reverting(first))
    assert {name: rows for name, rows in (await contents(resources.database)).items() if rows} == {}
    again = await done(resources, reverting(first))
    assert (again["state"], again["attempt"]) == (State.FAILED, 1)
    assert again["error"] == f"run {first['run_id']} is already reverted, by run {revert['run_id']}"


@every_database
async def test_marks_and_names_that_a_snapshot_of_users_left_are_undone(
    resources: Resources, tmp_path: Path
) -> None:
    await done(
        resources, ImportPosts(url=str(write_jsonl(tmp_path / "posts.jsonl", json_posts(20))), site=SITE)
    )
    users = write_jsonl(tmp_path / "users.jsonl", json_users(8))
    await done(resources, ImportUsers(url=str(users), site=SITE))
    async with resources.database.writing.begin() as session:
        await create_user(session, SITE, "by hand", {"name": "somebody"})
        await create_post(session, SITE, "by hand", {"author_external_id": "by hand"})
    await done(resources, RefreshAuthorStats())
    before = await contents(resources.database)
    fewer = ImportUsers(
        url=str(write_jsonl(tmp_path / "fewer.users.jsonl", json_users(6))),
        site=SITE,
        snapshot=True,
        force=True,
    )
    for missing in ("mark", "delete"):
        run = await done(resources, fewer.model_copy(update={"missing": missing}))
        assert run["result"]["vanished"] == {"users": 3}
        assert await contents(resources.database) != before
        revert = await done(resources, reverting(run))
        assert revert["error"] is None
        assert await contents(resources.database) == before


@every_database
async def test_users_that_came_after_their_posts_leave_these_waiting_again(
    resources: Resources, tmp_path: Path
) -> None:
    posts = write_jsonl(tmp_path / "posts.jsonl", json_posts(20))
    await done(resources, ImportPosts(url=str(posts), site=SITE))
    before = await contents(resources.database)
    users = write_jsonl(tmp_path / "users.jsonl", json_users(7))
    run = await done(resources, ImportUsers(url=str(users), site=SITE))
    await done(resources, reverting(run))
    assert await contents(resources.database) == before


@every_database
async def test_texts_of_every_kind_come_back_as_they_were(resources: Resources, tmp_path: Path) -> None:
    texts = [
        '"\\\\" \t\r\n /',
        "\x01\x1f\x7f",
        "\U0001f600 \u00e9 e\u0301 \u2028",
        "%s :x {}",
        "x" * 100_000,
        "",
    ]
    rows = json_posts(len(texts))
    for row, text in zip(rows, texts, strict=True):
        row |= {"content": text, "title": text[:900], "tags": [text[:90], "a,b"] if text.strip() else []}
        row["score"] = -(2**31)
    await done(resources, ImportPosts(url=str(write_jsonl(tmp_path / "posts.jsonl", rows)), site=SITE))
    before = await contents(resources.database)
    other = json_posts(len(texts))
    run = await done(resources, ImportPosts(url=str(write_jsonl(tmp_path / "posts.jsonl", other)), site=SITE))
    assert (run["inserted"], run["updated"]) == (0, len(texts))
    await done(resources, reverting(run))
    assert await contents(resources.database) == before


async def test_rejects_of_an_import_that_was_undone_are_not_loaded_after_all(
    resources: Resources, tmp_path: Path
) -> None:
    rows = json_posts(5)
    del rows[2]["created_at"]
    run = await done(resources, ImportPosts(url=str(write_jsonl(tmp_path / "posts.jsonl", rows)), site=SITE))
    revert = await done(resources, reverting(run))
    replay = await done(resources, ReplayRejects(run=run["run_id"]))
    assert replay["error"] == (
        f"run {run['run_id']} was undone by run {revert['run_id']}: import its files again"
    )


@every_database
async def test_records_that_a_request_carried_are_undone_like_a_file(resources: Resources) -> None:
    def carrying(score: int) -> ImportRecords:
        post = {"external_id": 1, "created_at": "2026-01-01", "score": score, "tags": ["a"]}
        return ImportRecords(site=SITE, users=({"external_id": 7},), posts=(post,))

    await done(resources, carrying(1))
    before = await contents(resources.database)
    second = await done(resources, carrying(2))
    assert await contents(resources.database) != before
    await done(resources, reverting(second))
    assert await contents(resources.database) == before


async def test_the_command_undoes_a_run_and_says_so(
    headrace: CommandLine, resources: Resources, tmp_path: Path
) -> None:
    path = write_jsonl(tmp_path / "posts.jsonl", json_posts(5))
    run = await done(resources, ImportPosts(url=str(path), site=SITE))
    command = ("revert", run["run_id"][:8], "--with-worker", "--json")
    undone = await asyncio.to_thread(headrace, *command)  # five posts, and the six tags that they brought
    assert (undone.code, undone.json["job"], undone.json["deleted"]) == (0, "revert_run", 5 + 6)
    again = await asyncio.to_thread(headrace, *command)
    assert (again.code, "already reverted" in again.err) == (1, True)
    assert await count_of(resources.database, Post) == 0
    assert await count_of(resources.database, User) == 0
    async with resources.database.reading() as session:
        assert await drifted(session) == 0
