"""Through a real PgBouncer in transaction mode, where each transaction may meet another server process."""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from jobs.import_requests import ImportDump
from models import Run, State
from models.database import open_database
from models.family import cancel_runs, family
from models.run import FINISHED, retry_runs
from models.statements import has_run_too_long
from tests.factories import SITE, json_posts, json_users, write_jsonl
from tests.pgbouncer import bouncing, configurations
from worker.run_documents import document_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from uuid import UUID

    from tests.conftest import CommandLine
    from worker.resources import Resources
    from worker.settings import Settings

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("pgbouncer") is None, reason="pgbouncer is not installed"),
]


@pytest.fixture(params=configurations() if shutil.which("pgbouncer") else [])
def settings(settings: Settings, request: pytest.FixtureRequest) -> Iterator[Settings]:
    """The test's settings, with its database behind PgBouncer."""
    with bouncing(settings.database_url or "", request.param) as url:
        yield settings.model_copy(update={"database_url": url})


def dump(folder: Path) -> ImportDump:
    users = write_jsonl(folder / "users.jsonl", json_users(7))
    files = [write_jsonl(folder / f"posts{part}.jsonl", json_posts(4_000)[part::4]) for part in range(4)]
    return ImportDump(urls=tuple(map(str, (users, *files))), site=SITE, split=True)


async def test_concurrent_imports_are_cancelled_killed_and_come_to_their_end(
    resources: Resources, headrace: CommandLine, tmp_path: Path
) -> None:
    run_id = await resources.client.enqueue(dump(tmp_path))
    workers = headrace.start("worker", "--processes", 2)
    try:
        await until(resources, run_id, lambda runs: sum(run.bytes_done > 0 for run in runs) > 1)
        async with resources.database.writing.begin() as session:
            assert await cancel_runs(session, [run_id]) > 0
            assert await retry_runs(session, Run.state == State.CANCELLED) > 0
        psutil.Process(workers.pid).children()[0].kill()
        await until(resources, run_id, lambda runs: all(run.state in FINISHED for run in runs))
    finally:
        workers.terminate()
        await asyncio.to_thread(workers.wait, 20)
    async with resources.database.reading() as session:
        run = await document_in(session, run_id)
        assert await session.scalar(text("SELECT count(*) FROM pg_prepared_statements")) == 0
    assert (run["state"], run["error"], run["inserted"], run["failures"]) == ("succeeded", None, 4_007, 0)


async def until(resources: Resources, run_id: UUID, what: Any) -> None:
    """Wait until the family of a run is so."""
    async with asyncio.timeout(80):
        while True:
            async with resources.database.reading() as session:
                members = [member for member, _ in await family(session, [run_id])]
                runs = (await session.scalars(select(Run).where(Run.id.in_(members)))).all()
            if what(runs):
                return
            await asyncio.sleep(0.05)


async def test_a_transaction_has_its_limits_and_leaves_none_to_the_next_client(settings: Settings) -> None:
    show = text("SELECT current_setting('statement_timeout'), current_setting('jit')")
    url = settings.database_url or ""
    async with open_database(url, application="a", statement_seconds=0.2, pool_size=1) as database:
        async with database.writing() as session:
            assert (await session.execute(show)).one() == ("200ms", "off")
            with pytest.raises(DBAPIError) as caught:
                await session.execute(text("SELECT pg_sleep(30)"))
        assert has_run_too_long(caught.value)
        async with database.statement() as connection:  # which is a transaction by itself
            assert (await connection.execute(show)).one() == ("200ms", "off")
        async with open_database(url, application="b", statement_seconds=7, pool_size=9) as other:
            many = [other.reading() for _ in range(4)]  # whichever connections PgBouncer has
            try:
                assert [(await session.execute(show)).one() for session in many] == [("7s", "off")] * 4
            finally:
                await asyncio.gather(*(session.close() for session in many))


async def test_commands_migrate_and_check_through_it(headrace: CommandLine) -> None:
    assert (await asyncio.to_thread(headrace, "migrate")).code == 0
    done = await asyncio.to_thread(headrace, "check")
    assert done.code == 0, done.out
