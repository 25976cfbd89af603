"""Whether a run can be undone: the latest import of a site can, and what cannot is refused unchanged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from jobs.import_requests import ImportDump, ImportPosts
from jobs.requests import RefreshAuthorStats, RevertRun
from models import State
from models.post_changes import create_post, delete_post, update_post
from tests.conftest import every_database
from tests.contents import contents
from tests.factories import SITE, json_posts, posts_of, write_jsonl
from tests.worker.carried_out import done

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID

    from worker.resources import Resources


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
    await done(resources, RevertRun(run=second["run_id"]))
    assert f"not kept any more: run {second['run_id']}" in await refused(resources, first["run_id"])


async def test_an_import_that_changed_nothing_stands_in_nobodys_way(
    resources: Resources, tmp_path: Path
) -> None:
    _, second = await loaded_twice(resources, tmp_path)
    again = ImportPosts(url=str(tmp_path / "posts.jsonl"), site=SITE)
    assert (await done(resources, again))["unchanged"] == 42
    elsewhere = ImportPosts(url=str(tmp_path / "posts.jsonl"), site="elsewhere")
    assert (await done(resources, elsewhere))["inserted"] == 42
    assert (await done(resources, RevertRun(run=second["run_id"])))["state"] == State.SUCCEEDED


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
    assert (await done(resources, RevertRun(run=second["run_id"])))["state"] == State.SUCCEEDED
    assert (await posts_of(resources.database))["17"].score == 5


async def test_an_import_that_has_failed_in_the_middle_can_be_undone(
    resources: Resources, tmp_path: Path
) -> None:
    await loaded_twice(resources, tmp_path)
    before = await contents(resources.database)
    path = write_jsonl(tmp_path / "posts.jsonl", json_posts(60)[40:])
    run = await done(resources, ImportPosts(url=str(path), site=SITE, snapshot=True))
    assert (run["state"], run["inserted"]) == (State.FAILED, 15)
    await done(resources, RevertRun(run=run["run_id"]))
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
