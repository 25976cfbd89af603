"""Scheduled imports: what is unchanged costs nothing, and too little is an alarm."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError
from sqlalchemy import select

from jobs.import_requests import ImportDump
from models import SourceState
from models.post import Post
from tests.conftest import every_database
from tests.factories import SITE, count_of, json_posts, write_jsonl
from tests.jobs.fetching.serving import Site, served
from worker.execution import Executor
from worker.gauges import SourceGauges
from worker.outcomes import Failed, Succeeded
from worker.rounds import beside
from worker.source_watch import keep_watching_sources

if TYPE_CHECKING:
    from pathlib import Path

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
    assert await count_of(near.database, Post) == 60
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
    assert await count_of(near.database, Post) == 60
    write_jsonl(path, json_posts(50))
    await result(near, str(path), **how)
    assert await count_of(near.database, Post) == 50


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


async def test_the_metric_shows_which_sources_are_in_alarm(resources: Resources) -> None:
    async with resources.database.writing.begin() as session:
        session.add(SourceState(name="beer", alarm="40 posts"))
    gauges = SourceGauges()
    async with beside(partial(keep_watching_sources, resources, ["beer", "wine"], gauges)):
        async with asyncio.timeout(20):
            while not (shown := [sample for family in gauges.collect() for sample in family.samples]):
                await asyncio.sleep(0.02)
    assert {sample.labels["source"]: sample.value for sample in shown} == {"beer": 1, "wine": 0}
