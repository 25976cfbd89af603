"""An export that was cut off goes on behind its checkpoint, where that can be done."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from sqlalchemy import update

from jobs.errors import InputError, LeaseLostError, StoppingError
from jobs.export_rows import export_rows
from jobs.sinks.unfinished import Unfinished
from models import Post, Run, State
from models.database import open_database
from tests.conftest import every_database
from tests.factories import post, running, store
from tests.jobs.exporting import export, request_of

if TYPE_CHECKING:
    from pathlib import Path

    from jobs.context import JobContext
    from worker.resources import Resources

ROWS, STOPS_AT = 60, 3

pytestmark = pytest.mark.usefixtures("small_checkpoints")


class StopsAt(asyncio.Event):
    """A shutdown that comes when it is looked for the n-th time, which each batch does once."""

    def __init__(self, look: int) -> None:
        super().__init__()
        self._look = look

    def is_set(self) -> bool:
        self._look -= 1
        return self._look < 1


async def fill(resources: Resources) -> None:
    records = [post(n, score=1, content=f"{n} {uuid4().hex}", tags=("b", "a")) for n in range(ROWS)]
    await store(resources.database, *records)


async def cut_off(resources: Resources, path: Path) -> JobContext:
    """Stop an export at its third batch, and give the context that the next attempt has."""
    context = await running(resources, stopping=StopsAt(STOPS_AT))
    with pytest.raises(StoppingError):
        await export_rows(context, request_of(path, "posts"))
    return replace(context, stopping=asyncio.Event())


def unfinished(folder: Path) -> list[Path]:
    return list(folder.glob(".headrace-*"))


@every_database
@pytest.mark.parametrize("name", ["posts.jsonl", "posts.csv.gz"])
async def test_what_was_cut_off_ends_as_the_same_bytes(
    resources: Resources, tmp_path: Path, name: str
) -> None:
    await fill(resources)
    context = await cut_off(resources, tmp_path / name)
    assert len(unfinished(tmp_path)) == 1
    assert context.checkpoint is not None
    assert 0 < context.checkpoint["rows"] < ROWS
    result = await export_rows(context, request_of(tmp_path / name, "posts"))
    calm = await export(resources, tmp_path / f"calm-{name}", "posts")
    assert (tmp_path / name).read_bytes() == (tmp_path / f"calm-{name}").read_bytes()
    assert (result["rows"], result["snapshots"], calm["snapshots"]) == (ROWS, 2, 1)
    assert unfinished(tmp_path) == []


async def test_the_rest_is_from_a_newer_snapshot(resources: Resources, tmp_path: Path) -> None:
    await fill(resources)
    context = await cut_off(resources, tmp_path / "posts.jsonl")
    before = (context.checkpoint or {})["rows"]
    async with resources.database.writing.begin() as session:
        await session.execute(update(Post).values(score=2))
    await export_rows(context, request_of(tmp_path / "posts.jsonl", "posts"))
    scores = [json.loads(line)["score"] for line in (tmp_path / "posts.jsonl").read_text().splitlines()]
    assert scores == [1] * before + [2] * (ROWS - before)


async def test_on_a_host_without_the_file_it_begins_anew(resources: Resources, tmp_path: Path) -> None:
    await fill(resources)
    context = await cut_off(resources, tmp_path / "posts.jsonl")
    unfinished(tmp_path)[0].unlink()
    result = await export_rows(context, request_of(tmp_path / "posts.jsonl", "posts"))
    assert (result["rows"], result["snapshots"]) == (ROWS, 1)
    assert len((tmp_path / "posts.jsonl").read_text().splitlines()) == ROWS


async def test_an_export_as_parquet_begins_anew_and_removes_what_was_left(
    resources: Resources, tmp_path: Path
) -> None:
    await fill(resources)
    context = await running(resources)
    left = tmp_path / f".headrace-{context.run_id}-1.part"
    left.write_bytes(b"of a worker that was killed")
    context = replace(context, stopping=StopsAt(1))
    with pytest.raises(StoppingError):
        await export_rows(context, request_of(tmp_path / "posts.parquet", "posts"))
    assert unfinished(tmp_path) == []
    context = replace(context, stopping=asyncio.Event())
    result = await export_rows(context, request_of(tmp_path / "posts.parquet", "posts"))
    assert (result["rows"], result["snapshots"], context.checkpoint) == (ROWS, 1, None)


async def test_a_run_that_is_cancelled_leaves_no_file(resources: Resources, tmp_path: Path) -> None:
    await fill(resources)
    context = await running(resources)
    async with resources.database.writing.begin() as session:
        await session.execute(update(Run).values(state=State.CANCELLED))
    with pytest.raises(LeaseLostError):
        await export_rows(context, request_of(tmp_path / "posts.jsonl", "posts"))
    assert list(tmp_path.iterdir()) == []


def test_an_attempt_that_was_only_paused_does_not_touch_the_file_of_the_next(tmp_path: Path) -> None:
    target, run_id = tmp_path / "posts.jsonl", uuid4()
    with Unfinished.begin(target, run_id, 1) as paused:
        paused.write(b"first\n")
        paused.sync()
        assert Unfinished.resume(target, paused.name, 6) is None
        with Unfinished.begin(target, run_id, 2) as following:
            following.write(b"second\n")
            paused.write(b"more\n")
            with pytest.raises(InputError):
                paused.publish()
            following.sync()
            following.publish()
    assert target.read_bytes() == b"second\n"


def test_a_file_that_is_shorter_than_the_checkpoint_says_is_not_gone_on_with(tmp_path: Path) -> None:
    target = tmp_path / "posts.jsonl"
    (tmp_path / "short.part").write_bytes(b"12345")
    assert Unfinished.resume(target, "short.part", 6) is None
    file = Unfinished.resume(target, "short.part", 3)
    assert file
    with file:
        file.write(b"x")
        file.sync()
        file.publish()
    assert target.read_bytes() == b"123x"


async def test_a_database_that_is_away_is_not_taken_for_a_disk_that_refuses(
    resources: Resources, tmp_path: Path
) -> None:
    async with open_database("postgresql://nobody@127.0.0.1:1/none", application="tests") as away:
        context = replace(await running(resources), database=away)
        with pytest.raises(ConnectionRefusedError):
            await export_rows(context, request_of(tmp_path / "posts.jsonl", "posts"))
