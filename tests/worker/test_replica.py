"""Reads that may go to a replica go there, writes never do: shown on one that streams."""

from __future__ import annotations

import asyncio
import re
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from sqlalchemy import insert, select, text
from sqlalchemy.exc import DBAPIError

from jobs.registry import BY_NAME
from jobs.requests import ExportRows
from models import Post, Tag, replica
from models.session import ReadOnlySessionError
from models.tag import ensure_tags
from tests.conftest import command_line
from tests.factories import post, running, store, user
from tests.worker.standby import Pair, replicated
from worker.checks import examine
from worker.here import carry_out
from worker.outcomes import CutOff, Retry
from worker.resources import Resources, open_resources
from worker.retries import judge

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from sqlalchemy.ext.asyncio import AsyncSession

    from jobs.context import JobContext

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    context = replicated(tmp_path_factory.mktemp("pair"))
    with asyncio.Runner() as runner:
        yield runner.run(context.__aenter__())
        runner.run(context.__aexit__(None, None, None))


@pytest_asyncio.fixture
async def resources(pair: Pair) -> AsyncIterator[Resources]:
    async with open_resources(pair.settings()) as opened:
        yield opened


async def is_replica(session: AsyncSession) -> bool:
    return bool((await session.execute(text("SELECT pg_is_in_recovery()"))).scalar_one())


async def test_an_export_and_listings_come_from_the_replica_and_writes_go_to_the_primary(
    pair: Pair, resources: Resources, tmp_path: Path
) -> None:
    await store(resources.database, user(1), *(post(number, 1) for number in range(50)))
    target = tmp_path / "posts.jsonl"
    result = await carry_out(pair.settings(), ExportRows(entity="posts", path=str(target), format="jsonl"))
    assert result["rows"] == 50  # a moment after they were written
    headrace = command_line(pair.settings(), tmp_path)
    listed = headrace("runs", "--json", DATABASE_REPLICA_URL=pair.replica.url).json
    assert [run["state"] for run in listed] == ["succeeded"]
    for server, reads in ((pair.replica, True), (pair.primary, False)):
        assert server.was_sent("ORDER BY posts.id", by="headrace export_rows") is reads
        assert server.was_sent("ORDER BY runs.created_at DESC") is reads
        assert server.was_sent("INSERT INTO") is not reads


async def test_each_kind_of_session_is_where_it_should_be(resources: Resources) -> None:
    database = resources.database
    async with database.writing() as writing, database.reading() as reading:
        assert [await is_replica(session) for session in (writing, reading)] == [False, False]
    async with database.reporting() as stale, database.reporting(fresh=True) as fresh:
        assert [await is_replica(session) for session in (stale, fresh)] == [True, True]
    first = await running(resources)
    second = replace(first, attempt=2)
    async with first.reading() as session, second.reading() as again:
        assert [await is_replica(session), await is_replica(again)] == [True, False]


async def test_nothing_is_written_through_the_replica(resources: Resources) -> None:
    async with resources.database.reporting() as session:
        with pytest.raises(ReadOnlySessionError):
            await session.execute(insert(Tag).values(name="x"))
        with pytest.raises(DBAPIError, match="read-only"):
            await session.execute(text("INSERT INTO tags (name) VALUES ('x')"))


async def test_while_the_replica_is_behind_whoever_needs_it_reads_what_was_written(
    pair: Pair, resources: Resources, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "headrace.database")
    names = select(Tag.name).where(Tag.name == "late")
    await pair.replica.ask("SELECT pg_wal_replay_pause()")
    await pair.replica.until("SELECT pg_get_wal_replay_pause_state() = 'paused'")
    async with resources.database.writing.begin() as session:
        await ensure_tags(session, {"late"})
    for _ in range(2):
        async with resources.database.reporting(fresh=True) as session:
            assert (await session.scalar(names), await is_replica(session)) == ("late", False)
    async with resources.database.reporting() as session:
        assert (await session.scalar(names), await is_replica(session)) == (None, True)
    await pair.replica.ask("SELECT pg_wal_replay_resume()")
    async with resources.database.reporting(fresh=True) as session:
        assert (await session.scalar(names), await is_replica(session)) == ("late", True)
    assert [record.message for record in caplog.records] == ["replica.late", "replica.back"]


async def test_a_commit_that_does_not_wait_for_the_disk_is_waited_for_too(pair: Pair) -> None:
    async with lazy(pair) as resources:
        for name in ("one", "two", "three"):
            async with resources.database.writing.begin() as session:
                await ensure_tags(session, {name})
            async with resources.database.reporting(fresh=True) as session:
                found = await session.scalar(select(Tag.name).where(Tag.name == name))
                assert (found, await is_replica(session)) == (name, True)


@asynccontextmanager
async def lazy(pair: Pair) -> AsyncIterator[Resources]:
    """Open resources on a server whose commits do not wait for the disk."""
    await pair.primary.ask("ALTER DATABASE headrace SET synchronous_commit = off")
    try:
        async with open_resources(pair.settings()) as opened:
            yield opened
    finally:
        await pair.primary.ask("ALTER DATABASE headrace RESET synchronous_commit")


async def checked(pair: Pair, url: str) -> tuple[bool, str]:
    found = {finding.what: finding for finding in await examine(pair.settings(database_replica_url=url))}
    assert found["database"].ok
    return found["replica"].ok, found["replica"].says


async def test_check_names_the_replica_and_what_is_wrong_with_it(pair: Pair) -> None:
    good, says = await checked(pair, pair.replica.url)
    assert good, says
    assert re.search(r", schema \d+, [\d,]+ bytes and \d+\.\d s behind$", says)
    gone, says = await checked(pair, "postgresql://u:hunter2@127.0.0.1:1/d")
    assert not gone
    assert "u:***@127.0.0.1:1/d cannot be used" in says
    itself, says = await checked(pair, pair.primary.url)
    assert not itself
    assert "is no replica" in says


async def test_a_replica_that_is_none_is_not_read(pair: Pair, caplog: pytest.LogCaptureFixture) -> None:
    async with (
        open_resources(pair.settings(database_replica_url=pair.primary.url)) as resources,
        resources.database.reporting() as session,
    ):
        assert (await session.execute(select(Tag.name).limit(1))).all() is not None
    assert [record.message for record in caplog.records] == ["replica.away"]


async def test_an_attempt_that_the_replica_breaks_off_is_followed_by_one_on_the_primary(
    pair: Pair, resources: Resources, tmp_path: Path
) -> None:
    await store(resources.database, *(post(f"v{number}") for number in range(500)))
    await pair.replica.ask("ALTER SYSTEM SET max_standby_streaming_delay = 0")
    await pair.replica.ask("SELECT pg_reload_conf()")
    request = ExportRows(entity="posts", path=str(tmp_path / "posts.csv"), format="csv")
    context = await running(resources, request)
    with pytest.raises(DBAPIError) as caught:
        await broken_off(context, pair)
    assert isinstance(judge(caught.value, BY_NAME[request.job], 0), Retry | CutOff)
    async with replace(context, attempt=2).reading() as session:
        assert not await is_replica(session)


async def broken_off(context: JobContext, pair: Pair) -> None:
    """Read until the primary's vacuum, replayed, takes away rows that the snapshot still shows."""
    async with context.reading() as session:
        await session.execute(select(Post.id))
        await pair.primary.ask("DELETE FROM posts WHERE external_id LIKE 'v%'")
        await pair.primary.ask("VACUUM posts")
        async with asyncio.timeout(120):
            while True:
                await session.execute(select(Post.id))


async def killed_in_the_middle(context: JobContext, pair: Pair) -> None:
    async with context.reading() as session:
        rows = await session.stream(select(Post.id).execution_options(yield_per=10))
        await anext(rows)
        assert await is_replica(session)
        pair.replica.kill()
        await pair.primary.until("SELECT count(*) = 0 FROM pg_stat_replication")
        async for _ in rows:
            pass


async def test_a_replica_killed_in_the_middle_costs_one_attempt_and_reads_go_on(
    pair: Pair,
    resources: Resources,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level("INFO", "headrace.database")
    monkeypatch.setattr(replica, "REST_SECONDS", 0.0)
    await store(resources.database, *(post(f"k{number}") for number in range(5_000)))
    request = ExportRows(entity="posts", path=str(tmp_path / "posts.csv"), format="csv")
    context = await running(resources, request)
    with pytest.raises(Exception) as caught:  # noqa: PT011 - what it is, the next line asks
        await killed_in_the_middle(context, pair)
    assert isinstance(judge(caught.value, BY_NAME[request.job], 0), CutOff)
    for fresh in (False, True):
        async with resources.database.reporting(fresh=fresh) as session:
            assert not await is_replica(session)
    async with open_resources(pair.settings()) as others, others.database.reporting() as session:
        assert not await is_replica(session)  # another process, which learns of it by itself
    assert (await carry_out(pair.settings(), request))["rows"] >= 5_000
    caplog.clear()
    await asyncio.to_thread(pair.replica.restart)
    async with resources.database.reporting() as session:
        assert await is_replica(session)
    assert [record.message for record in caplog.records] == ["replica.back"]
