"""MariaDB goes away, and what is left open on it; workers stay, and runs lose nothing."""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
import pytest_asyncio
from sqlalchemy import text, update
from sqlalchemy.exc import DBAPIError

from jobs.import_requests import ImportPosts
from models import Run, State, Tag
from models.claim import take_back_expired
from models.clock import now
from models.run import FINISHED
from tests.chaos.fail_points import BATCH_BEGUN, COMMITTED_NOT_SEEN
from tests.chaos.held import hold
from tests.factories import SITE, json_posts, run_of, running, write_jsonl
from tests.mariadb import MariaDb, cut_connections
from worker.main import working
from worker.resources import Resources, open_resources
from worker.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

    from worker.embedded import Services

POSTS = 3_000
on_mariadb = pytest.mark.parametrize("backend", ["mariadb"], indirect=True)


async def finished(resources: Resources, run_id: UUID) -> Run:
    """Look until the run has ended; looking may be cut off as well."""
    async with asyncio.timeout(120):
        while True:
            with suppress(DBAPIError):
                if (run := await run_of(resources, run_id)).state in FINISHED:
                    return run
            await asyncio.sleep(0.02)


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
    alone: tuple[MariaDb, Resources], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, resources = alone
    run_id = await resources.client.enqueue(posts(tmp_path))
    held = hold(COMMITTED_NOT_SEEN, monkeypatch)
    async with working(resources):
        await held.reached.wait()
        await asyncio.to_thread(server.kill)
        held.released.set()
        await asyncio.to_thread(server.start)
        run = await finished(resources, run_id)
    assert (run.state, run.failures) == (State.SUCCEEDED, 0)
    assert run.receipts[0].inserted == run.receipts[0].records_read == POSTS


@pytest.mark.slow
@on_mariadb
async def test_an_import_may_be_cut_off_more_often_than_it_has_tries(
    resources: Resources, mariadb: MariaDb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = await resources.client.enqueue(posts(tmp_path))
    name = resources.database.engine.url.database or ""
    helds = [hold(replace(BATCH_BEGUN, call=call), monkeypatch) for call in range(2, 12, 2)]
    async with working(resources), mariadb.connect() as cursor:
        for held in helds:  # each attempt commits a batch and is cut off in the next
            await held.reached.wait()
            await cut_connections(cursor, name)
            held.released.set()
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
    async with asyncio.timeout(45), resources.database.writing.begin() as session:
        session.add(Tag(name="locked"))  # waits for the paused transaction
        await session.flush()
    with pytest.raises(DBAPIError):
        await batch.__aexit__(None, None, None)
