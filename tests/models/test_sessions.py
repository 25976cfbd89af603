"""Each session does what it was opened for, within its limit of time, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event, insert, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session

from jobs.registry import BY_NAME
from jobs.requests import ExportRows
from models import Run, Tag, open_database, replica
from models.dialect import Fault, fault_of, is_away
from models.session import ReadOnlySessionError, task_scope
from models.statements import has_run_too_long, lift_limit, marked, unlimited
from models.tag import ensure_tags
from tests.conftest import CommandLine, every_database
from tests.factories import json_posts, running, write_jsonl
from worker.outcomes import Retry
from worker.retries import judge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine

    from models import Database
    from worker.resources import Resources

Sessions = async_scoped_session[AsyncSession]


@every_database
async def test_a_reading_session_refuses_to_write(resources: Resources) -> None:
    for opened in (resources.database.reading(), resources.database.reporting()):
        async with opened as session:
            with pytest.raises(ReadOnlySessionError):
                await session.execute(insert(Tag).values(name="x"))
            session.add(Tag(name="x"))
            with pytest.raises(ReadOnlySessionError):
                await session.flush()


@every_database
async def test_the_database_refuses_too_and_the_connection_can_write_again(resources: Resources) -> None:
    async with resources.database.reading() as session:
        with pytest.raises(DBAPIError, match=r"(?i)read.?only"):
            await session.execute(text("INSERT INTO tags (name) VALUES ('x')"))
    async with resources.database.writing.begin() as session:
        await ensure_tags(session, {"y"})
    async with resources.database.reading() as session:
        assert (await session.scalars(select(Tag.name))).all() == ["y"]


@every_database
async def test_without_a_replica_reports_are_read_from_the_primary(resources: Resources) -> None:
    async with resources.database.writing.begin() as session:
        await ensure_tags(session, {"new"})
    for fresh in (False, True):
        async with resources.database.reporting(fresh=fresh) as session:
            assert (await session.scalars(select(Tag.name))).all() == ["new"]


async def test_a_replica_that_hangs_is_waited_for_once_and_then_left_alone(
    database_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(replica, "ANSWER_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(0)
        url = f"postgresql://u@127.0.0.1:{silent.getsockname()[1]}/d"
        async with open_database(database_url, application="tests", replica_url=url) as database:
            for fresh in (False, True, False):
                async with database.reporting(fresh=fresh) as session:
                    assert (await session.scalars(select(Tag.name))).all() == []
        silent.accept()[0].close()
        with pytest.raises(BlockingIOError):
            silent.accept()
    assert [record.message for record in caplog.records] == ["replica.away"]


async def test_a_primary_that_is_away_is_not_taken_for_the_replica(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    away = "postgresql://u@127.0.0.1:1/d"
    async with open_database(away, application="tests", replica_url=database_url) as database:
        with pytest.raises(OSError, match="Connect"):
            await opened(database)
    assert caplog.records == []


async def opened(database: Database) -> None:
    async with database.reporting(fresh=True):
        pass


async def test_a_statement_that_takes_too_long_is_ended_and_the_attempt_is_tried_again(
    database_url: str,
) -> None:
    async with (
        open_database(database_url, application="tests", statement_seconds=0.05) as database,
        database.writing() as session,
    ):
        with pytest.raises(DBAPIError) as caught:
            await session.execute(text("SELECT pg_sleep(30)"))
    assert (fault_of(caught.value), is_away(caught.value)) == (Fault.OTHER, False)
    outcome = judge(caught.value, BY_NAME[ExportRows.job], 0)
    assert isinstance(outcome, Retry)
    assert "HEADRACE_STATEMENT_SECONDS" in outcome.error


async def test_every_transaction_has_the_limit_but_a_migrations(resources: Resources) -> None:
    shown = text("SHOW statement_timeout")
    async with resources.database.engine.connect() as connection:
        assert await connection.scalar(shown) == "10min"
        await connection.run_sync(lift_limit)
        assert await connection.scalar(shown) == "0"
        await connection.commit()
        assert await connection.scalar(shown) == "10min"


async def test_a_statement_that_somebody_cancelled_is_not_said_to_have_taken_too_long(
    database_url: str,
) -> None:
    async with (
        open_database(database_url, application="tests") as database,
        database.writing() as session,
        database.writing() as other,
    ):
        pid = await session.scalar(text("SELECT pg_backend_pid()"))
        sleeping = asyncio.create_task(session.execute(text("SELECT pg_sleep(30)")))
        running_now = text(
            "SELECT count(*) FROM pg_stat_activity WHERE pid = :pid AND wait_event = 'PgSleep'"
        )
        while not await other.scalar(running_now, {"pid": pid}):
            await other.rollback()  # a transaction sees one state of this view
        await other.execute(text("SELECT pg_cancel_backend(:pid)"), {"pid": pid})
        with pytest.raises(DBAPIError) as caught:
            await sleeping
    assert "user request" in judge(caught.value, BY_NAME[ExportRows.job], 0).error


@pytest.mark.parametrize(
    ("error", "too_long"),
    [
        (OSError(1969, "Query execution was interrupted (max_statement_time exceeded)"), True),
        (OSError(1205, "Lock wait timeout exceeded"), False),
        (KeyError(1969), False),
        (ValueError([1969], {}), False),
    ],
)
def test_mysqls_codes_are_told_from_other_errors(error: Exception, too_long: bool) -> None:  # noqa: FBT001 - pytest passes it by name
    assert has_run_too_long(error) is too_long


async def test_a_long_stream_is_not_one_long_statement(database_url: str) -> None:
    pauses = "SELECT n, CASE WHEN n % 50 = 0 THEN pg_sleep(0.25) END FROM generate_series(1, 250) n"
    slow = text(pauses).execution_options(yield_per=50)
    async with (
        open_database(database_url, application="tests", statement_seconds=1) as database,
        database.reading() as session,
    ):
        rows = [row async for row in await session.stream(slow)]
    assert len(rows) == 250


@pytest.fixture
def sent(resources: Resources) -> Iterator[list[str]]:
    """What is sent to the database, transactions included."""
    engine: Engine = resources.database.engine.sync_engine
    said: list[str] = []

    def executing(*execution: object) -> None:
        said.append(str(execution[2]).split(maxsplit=1)[0])

    def committing(_connection: object) -> None:
        said.append("COMMIT")

    event.listen(engine, "before_cursor_execute", executing)
    event.listen(engine, "commit", committing)
    yield said
    event.remove(engine, "before_cursor_execute", executing)
    event.remove(engine, "commit", committing)


async def test_limit_and_name_cost_a_batch_no_statement(resources: Resources, sent: list[str]) -> None:
    context = await running(resources)
    sent.clear()
    async with context.batch():
        pass
    assert sent == ["SELECT", "UPDATE", "COMMIT"]  # the fence, the checkpoint


def test_a_name_in_a_statement_leaves_its_begin_and_its_end_to_the_driver() -> None:
    assert marked("INSERT INTO t VALUES (%s)", "headrace x */ 1%") == (
        "INSERT /* headrace x  1 */ INTO t VALUES (%s)"
    )
    assert unlimited("SELECT 1", is_mariadb=True) == "SET STATEMENT max_statement_time = 0 FOR SELECT 1"
    assert unlimited("SELECT 1", is_mariadb=False).startswith("SELECT /*+ MAX_EXECUTION_TIME(")


def scoped(database: Database) -> Sessions:
    return async_scoped_session(database.writing, scopefunc=asyncio.current_task)


def in_use(database: Database) -> int:
    return database.engine.pool.checkedout()  # type: ignore[attr-defined, no-any-return]


async def deep_below(sessions: Sessions, name: str) -> None:
    await ensure_tags(sessions(), {name})


@every_database
async def test_tasks_side_by_side_have_a_session_each_and_leave_none(resources: Resources) -> None:
    sessions = scoped(resources.database)
    seen = set()

    async def handle(number: int) -> None:
        async with task_scope(sessions):
            seen.add(id(sessions()))
            await deep_below(sessions, f"tag {number}")
            assert sessions() is sessions()
        assert not sessions.registry.has()

    await asyncio.gather(*map(handle, range(4)))
    assert len(seen) == 4
    assert in_use(resources.database) == 0
    async with resources.database.reading() as session:
        assert len((await session.scalars(select(Tag.name))).all()) == 4


@every_database
async def test_a_task_that_is_cancelled_leaves_no_session_and_no_rows(resources: Resources) -> None:
    sessions, begun = scoped(resources.database), asyncio.Event()

    async def handle() -> None:
        async with task_scope(sessions):
            await deep_below(sessions, "x")
            begun.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(handle())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert in_use(resources.database) == 0
    assert not sessions.registry.registry
    async with resources.database.reading() as session:
        assert (await session.scalars(select(Tag.name))).all() == []


@every_database
async def test_a_run_is_asked_for_in_the_scope_of_the_task(resources: Resources) -> None:
    sessions = scoped(resources.database)
    request = ExportRows(entity="tags", path="/nowhere/tags.csv", format="csv")
    async with task_scope(sessions):
        kept = await resources.client.enqueue(request, session=sessions())
    with pytest.raises(ValueError, match="never mind"):
        await ask_and_fail(resources, sessions, request)
    async with resources.database.reading() as session:
        assert (await session.scalars(select(Run.id))).all() == [kept]


@pytest.mark.slow
def test_the_example_asks_for_each_upload_in_the_session_of_its_task(
    headrace: CommandLine, tmp_path: Path
) -> None:
    files = [write_jsonl(tmp_path / f"{number}.jsonl", json_posts(3)) for number in range(3)]
    example = Path(__file__).parents[2] / "examples" / "enqueue_from_deep_below.py"
    command = [sys.executable, str(example), *map(str, files), "--site", "s"]
    said = subprocess.run(command, env=headrace.environment, capture_output=True, text=True, check=True)
    runs = headrace("runs", "--json").json
    assert sorted(run["request"]["url"] for run in runs) == [str(file) for file in files]
    assert all(run["run_id"] in said.stdout for run in runs)


async def ask_and_fail(resources: Resources, sessions: Sessions, request: ExportRows) -> None:
    async with task_scope(sessions):
        await resources.client.enqueue(request, session=sessions())
        raise ValueError("never mind")
