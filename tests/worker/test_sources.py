"""Scheduled imports: what is unchanged costs nothing, and too little is an alarm."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from pydantic import ValidationError
from sqlalchemy import func, select

from jobs.import_requests import ImportDump
from models import Run, Schedule, SourceState, Tick
from models.clock import now
from models.post import Post
from tests.conftest import command_line, every_database
from tests.factories import SITE, json_posts, run_of, write_jsonl
from tests.jobs.fetching.serving import Site, served
from worker.execution import Executor
from worker.gauges import SourceGauges
from worker.outcomes import Failed, Succeeded
from worker.rounds import beside
from worker.schedule import schedule_of
from worker.scheduler import take_due
from worker.source_file import SourceFileError, read_sources
from worker.source_watch import keep_watching_sources

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import CommandLine
    from worker.outcomes import Outcome
    from worker.resources import Resources


@pytest.fixture
def near(resources: Resources) -> Resources:
    """Resources of a worker that may ask loopback."""
    return replace(resources, settings=resources.settings.model_copy(update={"import_private_hosts": True}))


def posts(folder: Path, how_many: int, **overrides: Any) -> bytes:
    rows = [row | overrides for row in json_posts(how_many)]
    return write_jsonl(folder / "made.jsonl", rows).read_bytes()


async def imported(resources: Resources, url: str, **fields: Any) -> Outcome:
    request = ImportDump(urls=(url,), site=SITE, source="beer", **fields)
    outcome = await Executor(resources).execute(await resources.client.enqueue(request))
    assert outcome is not None
    return outcome


async def result(resources: Resources, url: str, **fields: Any) -> dict[str, Any] | None:
    outcome = await imported(resources, url, **fields)
    assert isinstance(outcome, Succeeded), outcome
    return outcome.result


async def state(resources: Resources) -> SourceState:
    async with resources.database.reading() as session:
        return await session.get_one(SourceState, "beer")


UNCHANGED = {"unchanged": True}


@every_database
async def test_a_source_whose_server_says_that_it_is_unchanged_is_neither_fetched_nor_loaded(
    near: Resources, tmp_path: Path
) -> None:
    async with served(Site(posts(tmp_path, 60))) as site:
        assert "writer" in (await result(near, site.url()) or {})
        fetched = len(site.asked)
        assert await result(near, site.url()) == UNCHANGED
        [again] = site.asked[fetched:]
        assert again["if-none-match"] == site.tag
        site.content = posts(tmp_path, 61)
        assert "writer" in (await result(near, site.url()) or {})
    known = await state(near)
    assert (known.counts, known.alarm) == ({"posts": 61}, None)
    assert known.checked_at == known.changed_at


async def test_a_source_that_says_nothing_of_its_version_is_known_by_its_bytes(
    near: Resources, tmp_path: Path
) -> None:
    async with served(Site(posts(tmp_path, 60), etag="")) as site:
        assert await result(near, site.url()) != UNCHANGED
        assert await result(near, site.url()) == UNCHANGED
        site.last_modified = "Thu, 01 Jan 2026 00:00:00 GMT"
        assert await result(near, site.url()) == UNCHANGED
        fetched = len(site.asked)
        assert await result(near, site.url()) == UNCHANGED
        assert len(site.asked) == fetched + 1


async def test_a_local_file_that_was_only_touched_is_unchanged(near: Resources, tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "posts.jsonl", json_posts(60))
    assert await result(near, str(path)) != UNCHANGED
    os.utime(path, (1, 1))
    assert await result(near, str(path)) == UNCHANGED
    write_jsonl(path, json_posts(61))
    assert await result(near, str(path)) != UNCHANGED


async def test_the_same_bytes_asked_for_in_another_way_are_loaded(near: Resources, tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "posts.jsonl", json_posts(60))
    assert await result(near, str(path)) != UNCHANGED
    assert await result(near, str(path), expect={"posts": 60}) != UNCHANGED
    assert await result(near, str(path), expect={"posts": 60}) == UNCHANGED


async def test_what_was_not_loaded_to_its_end_is_loaded_again(near: Resources, tmp_path: Path) -> None:
    """A source that goes back to what it was is not unchanged: some rows are those of the version between."""
    path = write_jsonl(tmp_path / "posts.jsonl", json_posts(60))
    good = path.read_bytes()
    assert await result(near, str(path)) != UNCHANGED
    path.write_bytes(good + b"{}")
    assert isinstance(await imported(near, str(path), expect={"users": 1}), Failed)
    path.write_bytes(good)
    assert await result(near, str(path)) != UNCHANGED


@every_database
async def test_too_few_records_fail_the_run_and_raise_an_alarm_until_the_next_good_one(
    near: Resources, tmp_path: Path
) -> None:
    path = write_jsonl(tmp_path / "posts.jsonl", json_posts(60))
    enough = {"posts": 50, "users": 0}
    await result(near, str(path), expect=enough)
    write_jsonl(path, json_posts(40))
    for _ in range(2):
        outcome = await imported(near, str(path), expect=enough)
        assert isinstance(outcome, Failed)
        assert outcome.error.startswith("40 posts were read, and there must be 50")
        known = await state(near)
        assert known.alarm == "40 posts were read, and there must be 50"
    assert await kept(near) == 60
    write_jsonl(path, json_posts(55))
    await result(near, str(path), expect=enough)
    known = await state(near)
    assert (known.alarm, known.alarm_since, known.counts) == (None, None, {"posts": 55})


@every_database
async def test_a_snapshot_with_too_few_records_deletes_nothing(near: Resources, tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "posts.jsonl", json_posts(60))
    how: dict[str, Any] = {"snapshot": True, "expect": {"posts": 50}}
    await result(near, str(path), **how)
    write_jsonl(path, json_posts(49))
    assert isinstance(await imported(near, str(path), **how), Failed)
    assert await kept(near) == 60
    write_jsonl(path, json_posts(50))
    await result(near, str(path), **how)
    assert await kept(near) == 50


async def kept(resources: Resources) -> int:
    async with resources.database.reading() as session:
        return await session.scalar(select(func.count()).select_from(Post)) or 0


async def test_a_fall_to_less_than_half_is_a_warning_where_no_minimum_says_what_is_right(
    near: Resources, tmp_path: Path
) -> None:
    path = write_jsonl(tmp_path / "posts.jsonl", json_posts(60))
    await result(near, str(path))
    write_jsonl(path, json_posts(20))
    await result(near, str(path))
    known = await state(near)
    assert known.alarm == "20 posts were read, and 60 the last time that it was good"
    assert await result(near, str(path)) == UNCHANGED
    assert (await state(near)).alarm == known.alarm
    write_jsonl(path, json_posts(31))
    await result(near, str(path))
    assert (await state(near)).alarm is None


async def test_without_a_source_a_minimum_still_fails_the_run(near: Resources, tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "posts.jsonl", json_posts(40))
    run_id = await near.client.enqueue(ImportDump(urls=(str(path),), site=SITE, expect={"posts": 41}))
    assert isinstance(await Executor(near).execute(run_id), Failed)
    async with near.database.reading() as session:
        assert (await session.scalars(select(SourceState))).all() == []


@pytest.mark.parametrize("fields", [{"source": "beer"}, {"expect": {"posts": 1}}])
def test_what_is_split_cannot_be_counted(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="for an import that is not split"):
        ImportDump(urls=("/a",), site=SITE, split=True, **fields)


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
    assert await kept(resources) == 5


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


async def test_the_metric_shows_which_sources_are_in_alarm(resources: Resources) -> None:
    async with resources.database.writing.begin() as session:
        session.add(SourceState(name="beer", alarm="40 posts"))
    gauges = SourceGauges()
    async with beside(partial(keep_watching_sources, resources, ["beer", "wine"], gauges)):
        async with asyncio.timeout(20):
            while not (shown := [sample for family in gauges.collect() for sample in family.samples]):
                await asyncio.sleep(0.02)
    assert {sample.labels["source"]: sample.value for sample in shown} == {"beer": 1, "wine": 0}
