"""MariaDB goes away, and what is left open on it; workers stay, and runs lose nothing."""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
import pytest_asyncio
from sqlalchemy import text, update
from sqlalchemy.exc import DBAPIError

from jobs.requests import ImportPosts
from models import Run, State, Tag
from models.claim import take_back_expired
from models.clock import now
from models.run import FINISHED
from tests.factories import SITE, json_posts, run_of, running, write_jsonl
from tests.mariadb import MariaDb, cut_connections
from worker.main import working
from worker.resources import Resources, open_resources
from worker.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from uuid import UUID

    from worker.embedded import Services

POSTS = 3_000
on_mariadb = pytest.mark.parametrize("backend", ["mariadb"], indirect=True)


async def seen(resources: Resources, run_id: UUID, what: Callable[[Run], bool]) -> Run:
    """Look until the run is as it should be; looking may be cut off as well."""
    async with asyncio.timeout(60):
        while True:
            with suppress(DBAPIError):
                if what(run := await run_of(resources, run_id)):
                    return run
            await asyncio.sleep(0.02)


async def finished(resources: Resources, run_id: UUID) -> Run:
    return await seen(resources, run_id, lambda run: run.state in FINISHED)


async def gone_on(resources: Resources, run_id: UUID, beyond: int) -> int:
    return (await seen(resources, run_id, lambda run: run.bytes_done > beyond)).bytes_done


def posts(folder: Path) -> ImportPosts:
    return ImportPosts(url=str(write_jsonl(folder / "posts.jsonl", json_posts(POSTS))), site=SITE)


@pytest_asyncio.fixture
async def alone(services: Services, tmp_path: Path) -> AsyncIterator[tuple[MariaDb, Resources]]:
    """Resources on a server of this test's own, which it may kill."""
    server = MariaDb(Path(tempfile.mkdtemp(prefix="headrace-mariadb-")))
    try:
        server.create()
        server.start()
        await server.make_template()
        async with server.database() as url:
            settings = Settings(
                database_url=url,
                redis_url=services.redis_url,
                home=tmp_path,
                queue=f"test-{uuid4().hex}",
                lease_seconds=2,
                batch_size=200,
            )
            async with open_resources(settings, redis=True) as resources:
                yield server, resources
    finally:
        server.stop()


@pytest.mark.slow
@pytest.mark.usefixtures("mariadb")  # which is skipped where there is none
async def test_a_killed_server_is_waited_for_and_the_import_ends_whole(
    alone: tuple[MariaDb, Resources], tmp_path: Path
) -> None:
    server, resources = alone
    run_id = await resources.client.enqueue(posts(tmp_path))
    async with working(resources):
        await gone_on(resources, run_id, 0)
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)
        run = await finished(resources, run_id)
    assert (run.state, run.failures) == (State.SUCCEEDED, 0)
    assert run.receipts[0].inserted == run.receipts[0].records_read == POSTS


@pytest.mark.slow
@on_mariadb
async def test_an_import_may_be_cut_off_more_often_than_it_has_tries(
    resources: Resources, mariadb: MariaDb, tmp_path: Path
) -> None:
    run_id = await resources.client.enqueue(posts(tmp_path))
    name = resources.database.engine.url.database or ""
    async with working(resources), mariadb.connect() as cursor:
        done = 0
        for _ in range(4):
            done = await gone_on(resources, run_id, done)
            await cut_connections(cursor, name)
        run = await finished(resources, run_id)
    assert (run.state, run.failures) == (State.SUCCEEDED, 0)
    assert run.receipts[0].inserted == run.receipts[0].records_read == POSTS


@on_mariadb
async def test_what_a_paused_worker_left_open_is_ended_by_the_server_and_holds_up_nobody(
    resources: Resources,
) -> None:
    context = await running(resources)
    batch = context.batch()
    held = await batch.__aenter__()
    assert await held.session.scalar(text("SELECT @@idle_transaction_timeout")) == 15
    await held.session.execute(text("SET SESSION idle_transaction_timeout = 1"))
    held.session.add(Tag(name="locked"))
    await held.session.flush()  # and here the worker is paused
    async with resources.database.writing.begin() as session:
        await session.execute(update(Run).values(lease_until=now(-1)))
    async with resources.database.writing.begin() as session:
        assert len(await take_back_expired(session, 5)) == 1
    async with asyncio.timeout(30), resources.database.writing.begin() as session:
        session.add(Tag(name="locked"))  # waits for the paused transaction
        await session.flush()
    with pytest.raises(DBAPIError):
        await batch.__aexit__(None, None, None)
