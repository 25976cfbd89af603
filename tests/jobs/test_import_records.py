"""Records that a request carries: loaded as those of a file are, small in number, and never logged."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError
from sqlalchemy import select

from jobs.client import row_of
from jobs.import_records import import_records
from jobs.import_requests import ImportPosts, ImportRecords, ImportTags, ImportUsers
from models import Reject, Run, State, Tag, User
from models.run_file import files_of
from tests.chaos.truth import truth
from tests.conftest import every_database
from tests.factories import SITE, json_posts, json_users, posts_of, run_of, running, write_jsonl
from tests.jobs.replays import another, content, counts, lift, performed, refuse, rejects, replayed, unlike
from tests.jobs.test_loading import again
from worker.execution import Executor
from worker.outcomes import Failed

if TYPE_CHECKING:
    from pathlib import Path

    from worker.embedded import Services
    from worker.resources import Resources

TAGS = [{"name": "hops"}, {"name": "malt"}, {"name": "hops"}]


def request(**lists: Any) -> ImportRecords:
    return ImportRecords(site=SITE, **lists)


@every_database
async def test_what_is_loaded_is_what_files_of_the_same_records_load(
    backend: str,
    services: Services,
    request: pytest.FixtureRequest,
    resources: Resources,
    tmp_path: Path,
) -> None:
    lists = {"users": json_users(7), "tags": TAGS, "posts": [*json_posts(60), {"external_id": 61}]}
    run = await performed(resources, await resources.client.enqueue(ImportRecords(site=SITE, **lists)))
    assert counts(run) == {
        "users": {"records_read": 7, "inserted": 7},
        "tags": {"records_read": 3, "inserted": 2, "unchanged": 1},
        "posts": {"records_read": 61, "inserted": 60, "rejected": 1},
    }
    async with another(backend, services, request, tmp_path / "another") as files:
        for ask, entity in ((ImportUsers, "users"), (ImportTags, "tags"), (ImportPosts, "posts")):
            path = write_jsonl(tmp_path / f"{entity}.jsonl", lists[entity])
            await performed(files, await files.client.enqueue(ask(url=str(path), site=SITE)))
        assert unlike(await content(resources), await content(files)) == []
    async with resources.database.reading() as session:
        [refresh] = await session.scalars(select(Run).where(Run.parent_id == run.id))
    assert refresh.job == "refresh_author_stats"


@every_database
async def test_a_record_that_cannot_be_loaded_is_a_reject_and_is_replayed_from_the_request(
    resources: Resources,
) -> None:
    posts = json_posts(12)
    posts[4]["created_at"] = "yesterday"
    posts[10] |= {"score": 7, "content": "words " * 20_000}  # more than a reject keeps
    await refuse(resources)
    run_id = await resources.client.enqueue(request(posts=posts))
    await performed(resources, run_id)
    first, second = await rejects(resources)
    assert (first.position, first.rule, first.source) == (4, "date", "")
    assert json.loads(first.raw) == posts[4]
    assert (second.position, second.rule) == (10, "database")
    await lift(resources)
    assert counts(await replayed(resources, run_id)) == {
        "posts": {"records_read": 2, "inserted": 1, "rejected": 1}
    }
    assert (await posts_of(resources.database))["10"].word_count == 20_000


@every_database
async def test_run_again_it_changes_nothing_and_after_a_crash_it_goes_on(resources: Resources) -> None:
    asked = request(users=json_users(3), posts=[*json_posts(5), {}])
    context = await running(resources, asked)
    await import_records(context, asked)
    before = await truth(resources.database)
    await import_records(await again(resources, context), asked)  # it died before it was finished
    assert unlike(await truth(resources.database), before) == []
    once_more = await performed(resources, await resources.client.enqueue(asked))
    assert counts(once_more) == {
        "users": {"records_read": 3, "unchanged": 3},
        "posts": {"records_read": 6, "unchanged": 5, "rejected": 1},
    }


async def test_rows_name_the_list_and_the_place_in_it(resources: Resources) -> None:
    run_id = await resources.client.enqueue(request(users=json_users(2), tags=TAGS))
    await performed(resources, run_id)
    async with resources.database.reading() as session:
        files = {file.entity: file for file in await files_of(session, run_id)}
        users = (await session.scalars(select(User).order_by(User.position))).all()
        tags = (await session.scalars(select(Tag.file_id))).all()
    assert {(file.format, file.path) for file in files.values()} == {("records", "")}
    assert [(user.external_id, user.position, user.file_id) for user in users] == [
        ("0", 0, files["users"].id),
        ("1", 1, files["users"].id),
    ]
    assert set(tags) == {files["tags"].id}


@every_database
async def test_characters_that_cannot_be_kept_are_repaired_as_in_json_lines(resources: Resources) -> None:
    users = [{"external_id": 1, "name": "a\0b"}]
    await performed(resources, await resources.client.enqueue(request(users=users)))
    async with resources.database.reading() as session:
        assert (await session.scalars(select(User.name))).one() == "a\N{REPLACEMENT CHARACTER}b"


@pytest.mark.parametrize(
    ("lists", "says"),
    [
        ({}, "holds 0 records; 1 to 1,000 are allowed"),
        ({"users": json_users(600), "posts": json_posts(401)}, "holds 1,001 records"),
        ({"users": [{"external_id": 1, "name": "x" * 2**20}]}, "1,048,576 are allowed, more in a file"),
        ({"users": [{"external_id": float("nan")}]}, "not JSON compliant"),
        ({"users": [{"external_id": object()}]}, "holds what is no JSON"),
        ({"users": [{"name": "\ud800"}]}, "surrogates not allowed"),
        ({"users": [17]}, "should be a valid dictionary"),
    ],
)
def test_what_is_too_much_or_no_json_is_refused(lists: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        request(**lists)


def test_values_of_python_go_as_json_has_them() -> None:
    sent = request(posts=[{"external_id": 1, "created_at": json_posts(1)[0]["created_at"]}]).document()
    assert request(posts=sent["posts"]).document() == sent


async def test_a_request_that_grew_too_large_fails_without_showing_its_records(resources: Resources) -> None:
    too_many = {"site": SITE, "users": [{"name": "secret"}] * 1_001}
    row = row_of(request(users=[{}])) | {"request": too_many}
    [run_id] = await resources.client.add([row])
    outcome = await Executor(resources).execute(run_id)
    assert isinstance(outcome, Failed)
    assert "1,001 records" in outcome.error
    assert "secret" not in outcome.error
    run = await run_of(resources, run_id)
    assert run.state == State.FAILED
    async with resources.database.reading() as session:
        assert (await session.scalars(select(Reject))).all() == []
