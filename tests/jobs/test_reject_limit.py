"""An import of which too much is rejected fails before it does damage, and says what to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError
from sqlalchemy import select

from jobs.import_requests import ImportDump, ImportPosts
from jobs.loading import layouts_of, load
from jobs.reject_limit import RejectLimit
from models import Run, State
from models.family import parts_of
from models.run import retry_runs
from tests.conftest import every_database
from tests.factories import SITE, json_posts, json_users, posts_of, run_of, running, write_jsonl, writer_for
from tests.jobs.replays import counts, performed, rejects, replayed
from worker.execution import Executor
from worker.main import run_worker
from worker.outcomes import Failed

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID

    from jobs.requests import Request
    from worker.resources import Resources


def dirty(how_many: int, bad: set[int]) -> list[dict[str, Any]]:
    rows = json_posts(how_many)
    for number in bad:
        rows[number]["created_at"] = "yesterday"
    return rows


async def failed(resources: Resources, request: Request) -> tuple[UUID, str]:
    """Let a run fail at once and for good; give its error."""
    run_id = await resources.client.enqueue(request)
    outcome = await Executor(resources).execute(run_id)
    assert isinstance(outcome, Failed), outcome
    assert (await run_of(resources, run_id)).state == State.FAILED
    return run_id, outcome.error


@every_database
async def test_the_batch_that_goes_over_a_number_is_not_written_and_its_rejects_are_kept(
    resources: Resources, tmp_path: Path
) -> None:
    path = write_jsonl(tmp_path / "posts.jsonl", dirty(1_500, {100, 700, 701}))  # batches are of 500
    ask = ImportPosts(url=str(path), site=SITE, max_rejects="2")
    run_id, error = await failed(resources, ask)
    start = path.read_bytes().index(b'{"external_id": 100,')
    assert error == (
        "3 of 1,000 records (0.3%) were rejected, more than --max-rejects 2 allows; the first: "
        f"{path} at {start}: date: created_at is no date of the years 1 to 9999: 'yesterday'; see `headrace "
        f"rejects {run_id}`, then correct the input, or import it again with another limit"
    )
    assert len(await posts_of(resources.database)) == 499
    assert len(await rejects(resources)) == 3
    assert counts(await run_of(resources, run_id)) == {
        "posts": {"records_read": 502, "inserted": 499, "rejected": 3}
    }
    allowed = ask.model_copy(update={"max_rejects": "3"})
    await performed(resources, await resources.client.enqueue(allowed))
    assert len(await posts_of(resources.database)) == 1_497


@every_database
async def test_a_retry_fails_the_same_way_and_counts_nothing_twice(
    resources: Resources, tmp_path: Path
) -> None:
    path = write_jsonl(tmp_path / "posts.jsonl", dirty(50, {7, 8}))
    run_id, error = await failed(resources, ImportPosts(url=str(path), site=SITE, max_rejects="1"))
    before = counts(await run_of(resources, run_id))
    async with resources.database.writing.begin() as session:
        assert await retry_runs(session, Run.id == run_id) == 1
    assert await Executor(resources).execute(run_id) == Failed(error)
    assert counts(await run_of(resources, run_id)) == before
    assert len(await rejects(resources)) == 2


async def test_what_was_rejected_before_it_failed_can_be_replayed(
    resources: Resources, tmp_path: Path
) -> None:
    path = write_jsonl(tmp_path / "posts.jsonl", dirty(50, {7, 8}))
    run_id, _ = await failed(resources, ImportPosts(url=str(path), site=SITE, max_rejects="1"))
    assert counts(await replayed(resources, run_id)) == {"posts": {"records_read": 2, "rejected": 2}}


@pytest.mark.parametrize(("bad", "rows"), [(range(0, 40, 4), 0), (range(1_100, 1_400), 1_000)])
async def test_a_share_is_judged_from_a_thousand_records_on_and_at_the_end(
    resources: Resources, tmp_path: Path, bad: range, rows: int
) -> None:
    how_many = 40 if rows == 0 else 2_000
    path = write_jsonl(tmp_path / "posts.jsonl", dirty(how_many, set(bad)))
    _, error = await failed(resources, ImportPosts(url=str(path), site=SITE, max_rejects="10%"))
    assert "more than --max-rejects 10% allows" in error
    assert len(await posts_of(resources.database)) == rows


async def test_bad_records_at_the_begin_are_no_share_of_the_whole(
    resources: Resources, tmp_path: Path
) -> None:
    path = write_jsonl(tmp_path / "posts.jsonl", dirty(2_000, set(range(50))))
    ask = ImportPosts(url=str(path), site=SITE, max_rejects="5.5%")
    run = await performed(resources, await resources.client.enqueue(ask))
    assert counts(run)["posts"]["rejected"] == 50


async def test_a_file_that_ends_with_a_full_batch_is_judged_too(resources: Resources, tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "posts.jsonl", dirty(20, {3}))
    context = await running(resources, batch_size=10)
    layouts = layouts_of([str(path)], "auto")
    for attempt in range(2):
        with pytest.raises(Exception, match=r"1 of 20 records \(5.0%\) were rejected"):
            await load(context, layouts, SITE, writer_for(resources.database), RejectLimit("4%"))
        assert attempt == 0 or len(await rejects(resources)) == 1


@every_database
async def test_the_parts_of_an_import_are_judged_together(resources: Resources, tmp_path: Path) -> None:
    users = write_jsonl(tmp_path / "users.jsonl", [*json_users(5), {}, {}])
    posts = write_jsonl(tmp_path / "posts.jsonl", dirty(30, {4, 5}))
    ask = ImportDump(urls=(str(users), str(posts)), site=SITE, split=True, max_rejects="3")
    run_id = await resources.client.enqueue(ask)
    await run_worker(resources, burst=True)
    async with resources.database.reading() as session:
        of_users, of_posts = await parts_of(session, run_id)
    assert (of_users.state, of_posts.state) == (State.SUCCEEDED, State.FAILED)
    assert (of_posts.error or "").startswith("4 of 37 records (10.8%) were rejected")
    assert await posts_of(resources.database) == {}
    assert len(await rejects(resources)) == 4
    async with resources.database.reading() as session:
        assert not (await session.scalars(select(Run).where(Run.job == "link_posts"))).all()


@pytest.mark.parametrize("limit", ["", "x", "-1", "1.5", "101%", "5 %", "%", "1e3"])
def test_what_is_no_number_and_no_share_is_refused(limit: str) -> None:
    with pytest.raises(ValidationError, match="whole number or a percentage"):
        ImportPosts(url="/x", site=SITE, max_rejects=limit)
