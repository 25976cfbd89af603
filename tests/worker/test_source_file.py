"""A file of sources: what it names is imported by the clock and shown, and a faulty one is refused."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from sqlalchemy import select

from models import Run, Schedule, Tick
from models.clock import now
from models.post import Post
from tests.conftest import command_line, every_database
from tests.factories import count_of, json_posts, run_of, write_jsonl
from worker.execution import Executor
from worker.outcomes import Failed, Succeeded
from worker.schedule import schedule_of
from worker.scheduler import take_due
from worker.source_file import SourceFileError, read_sources

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import CommandLine
    from worker.resources import Resources


def sources_file(folder: Path, text: str) -> Path:
    path = folder / "sources.toml"
    path.write_text(text)
    return path


def beer(url: object, more: str = "") -> str:
    return f'[[source]]\nname = "beer"\nsite = "beer"\nurl = "{url}"\ncron = "0 5 * * *"\n{more}\n'


@every_database
async def test_a_source_is_imported_by_the_clock_once_among_all_workers(
    resources: Resources, tmp_path: Path
) -> None:
    write_jsonl(tmp_path / "posts.jsonl", json_posts(60))
    more = 'expect = { posts = 60 }\nsnapshot = true\nmissing = "mark"'
    file = sources_file(tmp_path, beer("posts.jsonl", more))
    settings = resources.settings.model_copy(update={"sources": file})
    schedule = schedule_of(settings)[-1:]
    async with resources.database.writing.begin() as session:
        session.add(Schedule(name="beer", seen_until=await session.scalar(select(now(-3 * 86_400)))))
    await asyncio.gather(*(take_due(replace(resources, settings=settings), schedule) for _ in range(3)))
    async with resources.database.reading() as session:
        [run] = (await session.scalars(select(Run))).all()
        assert len((await session.scalars(select(Tick))).all()) == 1
    assert run.request == {
        "urls": [str(tmp_path / "posts.jsonl")],
        "site": "beer",
        "source": "beer",
        "expect": {"posts": 60},
        "snapshot": True,
        "missing": "mark",
    }
    assert isinstance(await Executor(resources).execute(run.id), Succeeded)
    assert (await run_of(resources, run.id)).receipts[0].inserted == 60


async def test_a_source_of_another_shape_is_read_by_its_mapping(resources: Resources, tmp_path: Path) -> None:
    rows = [{"key": number, "at": "2026-01-01T00:00:00Z"} for number in range(5)]
    write_jsonl(tmp_path / "posts.jsonl", rows)
    (tmp_path / "mapping.toml").write_text('external_id = "key"\ncreated_at = "at"\n')
    file = sources_file(tmp_path, beer("posts.jsonl", 'map = "mapping.toml"'))
    settings = resources.settings.model_copy(update={"sources": file})
    request = schedule_of(settings)[-1].request(settings)
    run_id = await resources.client.enqueue(request)
    assert isinstance(await Executor(resources).execute(run_id), Succeeded)
    assert await count_of(resources.database, Post) == 5


@every_database
async def test_commands_show_sources_and_check_fails_for_an_alarm(
    resources: Resources, tmp_path: Path
) -> None:
    path = write_jsonl(tmp_path / "posts.jsonl", json_posts(40))
    file = sources_file(tmp_path, beer(path, 'time_zone = "Asia/Kolkata"\nexpect = { posts = 60 }'))
    headrace = _with_sources(resources, tmp_path, file)
    [new] = (await asyncio.to_thread(headrace, "sources", "--json")).json
    assert (new["name"], new["site"], new["urls"], new["state"]) == ("beer", "beer", [str(path)], "new")
    assert (new["time_zone"], new["next_tick"][11:16]) == ("Asia/Kolkata", "23:30")
    asked = (await asyncio.to_thread(headrace, "schedule", "run", "beer", "--json")).json
    assert isinstance(await Executor(resources).execute(UUID(asked["run_id"])), Failed)
    [alarmed] = (await asyncio.to_thread(headrace, "sources", "--json")).json
    assert (alarmed["state"], alarmed["last_run_id"]) == ("alarm", asked["run_id"])
    shown = await asyncio.to_thread(headrace, "sources")
    assert "alarm" in shown.out
    assert "beer: 40 posts were read, and there must be 60" in shown.err
    checked = await asyncio.to_thread(headrace, "check")
    assert checked.code == 1
    assert "FAIL  source beer: 40 posts were read, and there must be 60" in checked.out
    write_jsonl(path, json_posts(70))
    for expected in ("ok", "unchanged"):
        asked = (await asyncio.to_thread(headrace, "schedule", "run", "beer", "--json")).json
        assert isinstance(await Executor(resources).execute(UUID(asked["run_id"])), Succeeded)
        [seen] = (await asyncio.to_thread(headrace, "sources", "--json")).json
        assert (seen["state"], seen["counts"]) == (expected, {"posts": 70})
    assert (await asyncio.to_thread(headrace, "check")).code == 0


def _with_sources(resources: Resources, folder: Path, file: Path) -> CommandLine:
    made = command_line(resources.settings, folder)
    return replace(made, environment=made.environment | {"HEADRACE_SOURCES": str(file)})


FAULTY = """
[[source]]
name = "Beer!"
site = "beer"
url = "ftp://example.org/a"
cron = "61 * * * *"
time_zone = "Mars/Olympus"
[[source]]
name = "wine"
site = "wine"
cron = "0 5 * * *"
mapp = "x"
expect = { comments = 1 }
"""


def test_check_says_one_line_for_each_fault_of_the_file(headrace: CommandLine, tmp_path: Path) -> None:
    file = sources_file(tmp_path, FAULTY)
    done = headrace("check", HEADRACE_SOURCES=str(file))
    assert done.code == 1
    lines = [line for line in done.out.splitlines() if line.startswith("FAIL")]
    assert all(line.startswith(f"FAIL  sources: {file}: source ") for line in lines)
    for says in (
        "'Beer!': name: ",
        "'Beer!': url: ftp://example.org/a: cannot be read",
        "'Beer!': cron: no such time",
        "'Beer!': time_zone: unknown time zone",
        "'wine': mapp: Extra inputs are not permitted",
        "'wine': expect.comments",
    ):
        assert sum(says in line for line in lines) == 1, done.out


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[source]", "is no TOML"),
        ("", r"holds no \[\[source\]\]"),
        ("source = 1", r"holds no \[\[source\]\]"),
        ("source = [1]", "source number 1: Input should be"),
        (beer("/a") + beer("/b"), "there are several sources beer"),
        (beer("/a", 'urls = ["/b"]'), "give either url or urls"),
        (beer("/a", "snapshot = 3"), "snapshot"),
        (beer("/a", 'missing = "mark"'), "missing is for a snapshot"),
        (beer("/a", 'map = "none.toml"'), r"source 'beer': map: .*/none\.toml: cannot be read"),
    ],
)
def test_a_file_of_sources_that_cannot_be_kept_is_refused(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(SourceFileError, match=says):
        read_sources(sources_file(tmp_path, text))


def test_a_worker_does_not_start_with_such_a_file(headrace: CommandLine, tmp_path: Path) -> None:
    done = headrace("worker", HEADRACE_SOURCES=str(tmp_path / "none.toml"))
    assert done.code == 1
    assert done.err.strip().splitlines()[-1].startswith(f"headrace: {tmp_path}/none.toml: No such file")


def test_a_source_may_not_have_the_name_of_an_entry_of_ours(headrace: CommandLine, tmp_path: Path) -> None:
    file = sources_file(tmp_path, beer("/a").replace('name = "beer"', 'name = "rebuild-stats"'))
    assert "is one of the schedule's own" in headrace("check", HEADRACE_SOURCES=str(file)).out
