"""A run that is undone leaves everything as it was before; what cannot be undone is refused unchanged."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from sqlalchemy import func, select

from jobs.import_requests import ImportDump, ImportPosts, ImportRecords, ImportUsers
from jobs.requests import RefreshAuthorStats, ReplayRejects, RevertRun
from models import FormerRow, Post, State, User
from models.post_changes import create_post, delete_post, update_post
from models.stats_upkeep import drifted
from models.user_changes import create_user
from tests.conftest import every_database
from tests.contents import contents
from tests.factories import SITE, json_posts, json_users, posts_of, write_jsonl
from tests.stumbling import stumble_through
from tests.two_dumps import write_two_dumps
from tests.worker.carried_out import done

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID

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


async def kept_former_rows(resources: Resources) -> int:
    async with resources.database.reading() as session:
        return await session.scalar(select(func.count()).select_from(FormerRow)) or 0


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
    assert await kept_former_rows(resources) == 0
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
    assert await kept_former_rows(resources) == 0  # what is inserted needs no note
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


async def loaded_twice(resources: Resources, folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Import posts, and again with some changed, some new and some gone; give the runs."""
    path = write_jsonl(folder / "posts.jsonl", json_posts(40))
    first = await done(resources, ImportPosts(url=str(path), site=SITE))
    rows = json_posts(45)[3:]
    rows[0]["score"] = 99
    write_jsonl(path, rows)
    return first, await done(resources, ImportPosts(url=str(path), site=SITE, snapshot=True))


async def refused(resources: Resources, run_id: UUID | str) -> str:
    """Ask to undo a run which cannot be, see that nothing changes, and give the reason."""
    before = await contents(resources.database)
    run = await done(resources, RevertRun(run=run_id))
    assert (run["state"], run["attempt"]) == (State.FAILED, 1)
    assert await contents(resources.database) == before
    assert "\n" not in run["error"]
    return str(run["error"])


async def test_what_is_not_the_latest_import_of_its_site_is_refused(
    resources: Resources, tmp_path: Path
) -> None:
    first, second = await loaded_twice(resources, tmp_path)
    assert f"run {second['run_id']} came after it" in await refused(resources, first["run_id"])
    await done(resources, reverting(second))
    assert f"not kept any more: run {second['run_id']}" in await refused(resources, first["run_id"])


async def test_an_import_that_changed_nothing_stands_in_nobodys_way(
    resources: Resources, tmp_path: Path
) -> None:
    _, second = await loaded_twice(resources, tmp_path)
    again = ImportPosts(url=str(tmp_path / "posts.jsonl"), site=SITE)
    assert (await done(resources, again))["unchanged"] == 42
    elsewhere = ImportPosts(url=str(tmp_path / "posts.jsonl"), site="elsewhere")
    assert (await done(resources, elsewhere))["inserted"] == 42
    assert (await done(resources, reverting(second)))["state"] == State.SUCCEEDED


@every_database
@pytest.mark.parametrize(
    "change", ["of an update", "of a new row", "deletes", "deletes a new row", "makes again"]
)
async def test_what_was_changed_by_hand_since_is_not_overwritten(
    resources: Resources, tmp_path: Path, change: str
) -> None:
    _, second = await loaded_twice(resources, tmp_path)
    posts = await posts_of(resources.database)
    async with resources.database.writing.begin() as session:
        match change:
            case "of an update":
                await update_post(session, posts["3"].id, {"score": 5})
            case "of a new row":
                await update_post(session, posts["44"].id, {"score": 5})
            case "deletes":
                await delete_post(session, posts["3"].id)
            case "deletes a new row":
                await delete_post(session, posts["44"].id)
            case _:
                await create_post(session, SITE, "0", {})
    reason = await refused(resources, second["run_id"])
    assert reason.startswith(
        f"1 rows that run {second['run_id']} wrote were changed by hand or deleted since"
    )
    example = {"of an update": "post 3", "deletes": "post 3", "makes again": "post 0"}.get(change, "")
    assert example in reason


async def test_what_was_never_written_is_no_hindrance(resources: Resources, tmp_path: Path) -> None:
    _, second = await loaded_twice(resources, tmp_path)
    posts = await posts_of(resources.database)
    async with resources.database.writing.begin() as session:
        await update_post(session, posts["17"].id, {"score": 5})
    assert (await done(resources, reverting(second)))["state"] == State.SUCCEEDED
    assert (await posts_of(resources.database))["17"].score == 5


async def test_an_import_that_has_failed_in_the_middle_can_be_undone(
    resources: Resources, tmp_path: Path
) -> None:
    await loaded_twice(resources, tmp_path)
    before = await contents(resources.database)
    path = write_jsonl(tmp_path / "posts.jsonl", json_posts(60)[40:])
    run = await done(resources, ImportPosts(url=str(path), site=SITE, snapshot=True))
    assert (run["state"], run["inserted"]) == (State.FAILED, 15)
    await done(resources, reverting(run))
    assert await contents(resources.database) == before


async def test_what_is_no_import_that_has_ended_is_refused(resources: Resources, tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "posts.jsonl", json_posts(5))
    whole = await done(resources, ImportDump(urls=(str(path),), site=SITE, split=True))
    part = whole["parts"][0]["run_id"]
    refresh = await resources.client.enqueue(RefreshAuthorStats())
    nobody = uuid4()
    assert await refused(resources, part) == f"run {part} is a part of run {whole['run_id']}: revert that"
    assert "is no import but refresh_author_stats" in await refused(resources, refresh)
    assert await refused(resources, nobody) == f"there is no run {nobody}; `headrace runs` lists them"
    missing = await done(resources, ImportPosts(url=str(tmp_path / "none.jsonl"), site=SITE))
    assert "has read no file" in await refused(resources, missing["run_id"])


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
    async with resources.database.reading() as session:
        assert await session.scalar(select(func.count()).select_from(Post)) == 0
        assert await session.scalar(select(func.count()).select_from(User)) == 0
        assert await drifted(session) == 0
