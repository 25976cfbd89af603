"""SQLite has one writer at a time: the others wait for it, and readers do not."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select, text

from models import Post, Tag
from models.tag import add_tags
from worker.sample import write_sample

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import CommandLine
    from worker.resources import Resources

pytestmark = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


@pytest.mark.slow
async def test_several_processes_write_at_once_without_an_error(
    resources: Resources, headrace: CommandLine, tmp_path: Path
) -> None:
    write_sample(tmp_path / "dump", users=50, posts=500, seed=3, dirty=False)
    how = ("--wait", "--with-worker", "--json")
    importing = [
        asyncio.to_thread(headrace, "import", tmp_path / "dump", "--site", f"site-{number}", *how)
        for number in range(4)
    ]
    ended = await asyncio.gather(*importing)
    assert [(done.code, done.json["failures"], done.err) for done in ended] == [(0, 0, "")] * 4
    async with resources.database.reading() as session:
        assert await session.scalar(select(func.count()).select_from(Post)) == 4 * 500


async def test_a_reader_goes_on_beside_a_writer_and_a_second_writer_waits(resources: Resources) -> None:
    database = resources.database
    async with database.writing.begin() as session:
        assert await session.scalar(text("PRAGMA journal_mode")) == "wal"
        assert await session.scalar(text("PRAGMA busy_timeout")) == 30_000
        await add_tags(session, {"first"})
        second = asyncio.create_task(_add(resources))
        async with database.reading() as other:
            assert (await other.scalars(select(Tag.name))).all() == []
        assert not second.done()
    await second
    async with database.reading() as session:
        assert set(await session.scalars(select(Tag.name))) == {"first", "second"}


async def _add(resources: Resources) -> None:
    async with resources.database.writing.begin() as session:
        await add_tags(session, {"second"})


async def test_a_writer_that_waits_is_next_however_soon_the_other_wants_to_write_again(
    resources: Resources,
) -> None:
    written: list[str] = []

    async def write(name: str, times: int) -> None:
        for _ in range(times):
            async with resources.database.writing.begin() as session:
                await add_tags(session, {name})
                written.append(name)

    await asyncio.gather(write("busy", 1), write("other", 1))  # now both have their connections
    written.clear()
    await asyncio.gather(write("busy", 5), write("other", 2))
    assert written == ["busy", "other", "busy", "other", "busy", "busy", "busy"]
