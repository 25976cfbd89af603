"""A run is held against its files and the tables: what is so, what was changed since, what is wrong."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select, update

from jobs.errors import InputError
from jobs.import_requests import ImportDump, ImportPosts
from jobs.loading import layouts_of, load
from jobs.requests import RefreshAuthorStats
from jobs.verifying.run import verify_run
from models import Post, Receipt, Reject, Run, State
from models.post_changes import delete_post, update_post
from models.run_file import files_read_by
from tests.conftest import every_database
from tests.factories import (
    NOON,
    SITE,
    json_posts,
    json_users,
    posts_of,
    running,
    write_csv,
    write_jsonl,
    writer_for,
)
from worker.main import run_worker
from worker.sample import write_sample

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID

    from worker.resources import Resources


async def loaded(resources: Resources, *paths: Path) -> UUID:
    """Load files as a run that succeeded."""
    context = await running(resources, ImportDump(urls=("/x",), site=SITE), batch_size=10)
    layouts = layouts_of([str(path) for path in paths], "auto")
    await load(context, layouts, SITE, writer_for(resources.database))
    async with resources.database.writing.begin() as session:
        await session.execute(update(Run).where(Run.id == context.run_id).values(state=State.SUCCEEDED))
    return context.run_id


async def verified(resources: Resources, run_id: UUID) -> dict[str, Any]:
    async with resources.database.reporting(fresh=True) as session:
        return await verify_run(session, run_id)


def told(document: dict[str, Any], entity: str = "posts") -> dict[str, int]:
    """Give what became of rows, without what did not happen."""
    names = ("as_loaded", "superseded", "changed_since", "by_hand", "missing", "wrong")
    return {name: number for name in names if (number := document["entities"][entity][name])}


async def spoil(resources: Resources, statement: Any) -> None:
    async with resources.database.writing.begin() as session:
        await session.execute(statement.execution_options(synchronize_session=False))


@every_database
async def test_a_run_that_nothing_followed_is_as_loaded(resources: Resources, tmp_path: Path) -> None:
    write_sample(tmp_path / "dump", users=40, posts=150, seed=2, dirty=True)
    document = await verified(resources, await loaded(resources, tmp_path / "dump"))
    assert (document["sound"], document["wrong"]) == (True, [])
    assert {file["is"] for file in document["files"]} == {"unchanged"}
    for found in document["entities"].values():
        assert found["read_again"] == found["read"] == found["as_loaded"] + found["rejected"]
        assert found["digest_of_files"] == found["digest"]
    again = await verified(resources, await loaded(resources, tmp_path / "dump"))
    assert again["sound"]
    assert told(again) == told(document)
    naming = [found["entities"]["posts"]["rows_from_this_run"] for found in (document, again)]
    assert naming == [150, 0]


@every_database
async def test_later_records_later_runs_hands_and_deletions_are_told_apart(
    resources: Resources, tmp_path: Path
) -> None:
    rows = json_posts(30)
    rows += [rows[4] | {"score": 99}, rows[5], rows[6] | {"score": 7}, rows[6]]
    first = await loaded(resources, write_csv(tmp_path / "posts.csv", rows))
    assert told(await verified(resources, first)) == {"as_loaded": 31, "superseded": 3}
    rows[8]["score"] = 77
    second = await loaded(resources, write_jsonl(tmp_path / "more-posts.jsonl", rows[8:10]))
    posts = await posts_of(resources.database)
    async with resources.database.writing.begin() as session:
        await update_post(session, posts["10"].id, {"title": "by hand"})
        await delete_post(session, posts["11"].id)
    expected = {"as_loaded": 28, "superseded": 3, "changed_since": 1, "by_hand": 1, "missing": 1}
    document = await verified(resources, first)
    assert (document["sound"], told(document)) == (True, expected)
    assert told(await verified(resources, second)) == {"as_loaded": 2}


@every_database
async def test_a_row_that_names_a_record_and_says_something_else_is_wrong(
    resources: Resources, tmp_path: Path
) -> None:
    run_id = await loaded(resources, write_jsonl(tmp_path / "posts.jsonl", json_posts(20)))
    await spoil(resources, update(Post).where(Post.external_id == "3").values(score=1234))
    document = await verified(resources, run_id)
    assert told(document) == {"as_loaded": 19, "wrong": 1}
    assert not document["sound"]
    [line] = document["wrong"]
    assert "the row of 3 names it, and says something else" in line


async def test_a_row_that_names_no_record_of_the_file_is_wrong(resources: Resources, tmp_path: Path) -> None:
    run_id = await loaded(resources, write_jsonl(tmp_path / "posts.jsonl", json_posts(20)))
    await spoil(resources, update(Post).where(Post.external_id == "3").values(external_id="x"))
    document = await verified(resources, run_id)
    assert document["wrong"] == ["posts: rows that name these files, and records that they name: 20, and 19"]


async def test_a_reject_that_was_loaded_after_all_may_have_a_row(
    resources: Resources, tmp_path: Path
) -> None:
    rows = json_posts(20)
    rows[3]["created_at"] = "never"
    run_id = await loaded(resources, write_jsonl(tmp_path / "posts.jsonl", rows))
    async with resources.database.writing.begin() as session:
        [reject] = (await session.scalars(select(Reject))).all()
        reject.replayed_by = run_id
        [file] = await files_read_by(session, run_id)
        values = {"file_id": file.id, "position": reject.position, "repairs": 0, "created_at": NOON}
        session.add(Post(site=SITE, external_id="3", kind="post", score=0, word_count=0, **values))
        await session.flush()
    document = await verified(resources, run_id)
    assert (document["sound"], told(document)) == (True, {"as_loaded": 19})


async def test_a_receipt_or_a_reject_that_was_tampered_with_is_wrong(
    resources: Resources, tmp_path: Path
) -> None:
    rows = json_posts(20)
    rows[3]["created_at"] = "never"
    run_id = await loaded(resources, write_jsonl(tmp_path / "posts.jsonl", rows))
    assert (await verified(resources, run_id))["sound"]
    await spoil(resources, update(Receipt).values(digest=Receipt.digest + 1))
    assert "digest, by receipt and files" in (await verified(resources, run_id))["wrong"][0]
    await spoil(resources, update(Receipt).values(digest=Receipt.digest - 1))
    await spoil(resources, update(Reject).values(position=Reject.position + 1))
    assert "there is no such reject" in (await verified(resources, run_id))["wrong"][0]


async def test_files_that_are_gone_or_changed_are_said_and_the_rest_is_looked_at(
    resources: Resources, tmp_path: Path
) -> None:
    users = write_jsonl(tmp_path / "users.jsonl", json_users(7))
    posts = write_jsonl(tmp_path / "posts.jsonl", json_posts(20))
    run_id = await loaded(resources, users, posts)
    users.unlink()
    os.utime(posts, ns=(1, 1))
    document = await verified(resources, run_id)
    assert [file["is"] for file in document["files"]] == ["gone", "changed"]
    assert document["sound"]
    found = document["entities"]["posts"]
    assert (found["read_again"], found["rows_from_this_run"], found["read"]) == (None, 20, 20)


async def test_a_run_that_was_split_is_verified_with_its_parts(
    resources: Resources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.ranges.RANGE_BYTES", 500)
    write_jsonl(tmp_path / "users.jsonl", json_users(7))
    rows = json_posts(60)
    rows.append(rows[0] | {"score": 9})
    write_jsonl(tmp_path / "posts.jsonl", rows)
    urls = (str(tmp_path / "users.jsonl"), str(tmp_path / "posts.jsonl"))
    run_id = await resources.client.enqueue(ImportDump(urls=urls, site=SITE, split=True))
    await run_worker(resources, burst=True)
    document = await verified(resources, run_id)
    assert document["sound"], document["wrong"]
    assert told(document) == {"as_loaded": 60, "superseded": 1}
    async with resources.database.reading() as session:
        parts = (await session.scalars(select(Run.id).where(Run.job == "import_posts"))).all()
    for part in parts:
        assert (await verified(resources, part))["sound"]
    assert len(parts) > 2


@pytest.mark.parametrize(
    ("state", "request_", "says"),
    [
        (State.RUNNING, ImportPosts(url="/x", site=SITE), "only what succeeded"),
        (State.FAILED, ImportPosts(url="/x", site=SITE), "only what succeeded"),
        (State.SUCCEEDED, RefreshAuthorStats(), "loaded nothing"),
    ],
)
async def test_what_cannot_be_verified_is_said(
    resources: Resources, state: State, request_: Any, says: str
) -> None:
    run_id = (await running(resources, request_)).run_id
    await spoil(resources, update(Run).values(state=state))
    with pytest.raises(InputError, match=says):
        await verified(resources, run_id)
