"""A run that is split: its parts work side by side, stage after stage, and what follows starts once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sqlalchemy import select, update

from jobs.import_requests import ImportDump
from models import Run, State
from models.clock import now
from models.family import OPEN, family, parts_of, with_parts
from models.run import retry_runs
from tests.conftest import every_database, many_writers
from tests.factories import SITE, json_posts, json_users, run_of, write_jsonl
from worker.execution import Executor
from worker.main import run_worker
from worker.outcomes import Succeeded

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from uuid import UUID

    from tests.conftest import CommandLine
    from worker.resources import Resources


def dump(folder: Path) -> ImportDump:
    users = write_jsonl(folder / "users.jsonl", json_users(7))
    posts = [write_jsonl(folder / f"posts{part}.jsonl", json_posts(300)[part::3]) for part in range(3)]
    return ImportDump(urls=tuple(map(str, (users, *posts))), site=SITE, split=True)


async def split(resources: Resources, folder: Path) -> UUID:
    """Split a dump and load its users: the first stage, of one part."""
    run_id = await resources.client.enqueue(dump(folder))
    executor = Executor(resources)
    assert isinstance(await executor.execute(run_id), Succeeded)
    [users] = await waiting_parts(resources, run_id)
    assert isinstance(await executor.execute(users), Succeeded)
    return run_id


async def waiting_parts(resources: Resources, run_id: UUID) -> Sequence[UUID]:
    """List the parts of the stage that is at work."""
    async with resources.database.reading() as session:
        return [run.id for run in await parts_of(session, run_id) if run.state in OPEN]


async def follow_ups(resources: Resources) -> list[Run]:
    async with resources.database.reading() as session:
        return list(await session.scalars(select(Run).where(Run.job == "refresh_author_stats")))


@every_database
async def test_what_follows_starts_once_when_all_parts_end_at_the_same_time(
    resources: Resources, tmp_path: Path
) -> None:
    run_id = await split(resources, tmp_path)
    parts = await waiting_parts(resources, run_id)
    executors = [Executor(resources, f"worker-{number}") for number in range(3)]
    await asyncio.gather(*(each.execute(part) for each, part in zip(executors, parts, strict=True)))
    [link] = await waiting_parts(resources, run_id)
    assert await follow_ups(resources) == []
    await executors[0].execute(link)
    (refresh,) = await follow_ups(resources)
    assert refresh.parent_id == run_id
    assert (await run_of(resources, run_id)).open_children == 0


@every_database
async def test_a_part_that_fails_holds_it_back_until_it_was_retried(
    resources: Resources, tmp_path: Path
) -> None:
    run_id = await split(resources, tmp_path)
    parts = await waiting_parts(resources, run_id)
    missing = tmp_path / "posts1.jsonl"
    missing.rename(tmp_path / "away")
    executor = Executor(resources)
    for part in parts:
        await executor.execute(part)
    assert await waiting_parts(resources, run_id) == []
    (tmp_path / "away").rename(missing)
    async with resources.database.writing.begin() as session:
        assert await retry_runs(session, with_parts([run_id])) == 1
    for part in parts:
        await executor.execute(part)
    [link] = await waiting_parts(resources, run_id)
    assert (await run_of(resources, link)).job == "link_posts"


@many_writers
async def test_an_end_that_cannot_be_written_holds_up_no_other(resources: Resources, tmp_path: Path) -> None:
    run_id = await split(resources, tmp_path)
    parts = await waiting_parts(resources, run_id)
    async with resources.database.writing.begin() as session:  # what follows is a job of another version
        follow_up = {"job": "make_coffee", "request": {}}
        await session.execute(update(Run).where(Run.id == run_id).values(follow_up=follow_up))
    executor = Executor(resources)
    async with asyncio.timeout(45):
        ends = await asyncio.gather(*map(executor.execute, parts), return_exceptions=True)
    assert sorted(type(end).__name__ for end in ends) == ["KeyError", "Succeeded", "Succeeded"]
    assert (await run_of(resources, run_id)).open_children == 1


@many_writers
async def test_a_part_that_is_taken_back_and_done_again_counts_once(
    resources: Resources, tmp_path: Path
) -> None:
    run_id = await split(resources, tmp_path)
    parts = await waiting_parts(resources, run_id)
    slow, quick = Executor(resources, "slow"), Executor(resources, "quick")
    async with resources.database.writing.begin() as session:
        (taken,) = await slow.claim(session, [parts[0]])
    async with resources.database.writing.begin() as session:  # its lease has run out
        await session.execute(update(Run).where(Run.id == parts[0]).values(state=State.QUEUED, run_at=now()))
    assert isinstance(await quick.execute(parts[0]), Succeeded)
    await slow.perform(taken)
    assert (await run_of(resources, run_id)).open_children == 2


@every_database
async def test_a_split_import_ends_with_the_same_rows_and_one_receipt(
    resources: Resources, headrace: CommandLine, tmp_path: Path
) -> None:
    urls = dump(tmp_path).urls
    command = ("import", *urls, "--site", SITE, "--split", "--wait", "--with-worker", "--json")
    done = await asyncio.to_thread(headrace, *command)
    assert done.code == 0, done.err
    assert (done.json["state"], done.json["read"], done.json["inserted"]) == ("succeeded", 307, 307)
    assert done.json["entities"]["posts"]["inserted"] == 300
    assert [part["state"] for part in done.json["parts"]] == ["succeeded"] * 5
    assert [run.state for run in await follow_ups(resources)] == ["succeeded"]
    audit = await asyncio.to_thread(headrace, "stats", "audit", "--json")
    assert (audit.code, audit.json["drifted"]) == (0, 0)


async def test_a_split_import_with_a_bad_part_fails_with_its_reason(
    resources: Resources, headrace: CommandLine, tmp_path: Path
) -> None:
    run_id = await split(resources, tmp_path)
    (tmp_path / "posts1.jsonl").unlink()
    await run_worker(resources, burst=True)
    shown = (await asyncio.to_thread(headrace, "run", run_id, "--json")).json
    assert shown["state"] == "failed"
    assert "posts1.jsonl" in shown["error"]
    assert [part["job"] for part in shown["parts"]] == ["import_users", *["import_posts"] * 3]


async def test_cancelling_the_whole_stops_all_parts(
    resources: Resources, headrace: CommandLine, tmp_path: Path
) -> None:
    run_id = await split(resources, tmp_path)
    assert (await asyncio.to_thread(headrace, "cancel", run_id)).code == 0
    async with resources.database.reading() as session:
        states = [state for _, state in await family(session, [run_id])]
    assert sorted(states) == ["cancelled"] * 3 + ["succeeded"] * 2
    assert (await asyncio.to_thread(headrace, "retry", run_id)).code == 0
    assert len(await waiting_parts(resources, run_id)) == 3
