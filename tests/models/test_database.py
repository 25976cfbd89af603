"""URLs, sessions and column types behave the same everywhere."""

from __future__ import annotations

import asyncio
import json
import socket
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import any_, insert, select, text
from sqlalchemy.exc import DBAPIError, StatementError

from models import Reject, Tag, User, connections
from models.base import UtcDateTime
from models.claim import claim
from models.clock import now
from models.dialect import Fault, fault_of, numbers, reserve_ids
from models.natural_key import stored_ids
from models.tag import ensure_tags
from models.urls import async_url
from tests.conftest import every_database, known_keys
from tests.factories import SITE, running, store, user

if TYPE_CHECKING:
    from worker.resources import Resources


@pytest.mark.parametrize(
    ("given", "driver"),
    [
        ("postgresql://u@h/d", "postgresql+asyncpg"),
        ("postgres://u@h/d", "postgresql+asyncpg"),
        ("sqlite:///x.db", "sqlite+aiosqlite"),
        ("mysql://u@h/d", "mysql+asyncmy"),
        ("mariadb://u@h/d", "mysql+asyncmy"),
        ("mysql+aiomysql://u@h/d", "mysql+asyncmy"),
        ("mysql+asyncmy://u@h/d", "mysql+asyncmy"),
    ],
)
def test_plain_urls_mean_the_asynchronous_driver(given: str, driver: str) -> None:
    assert async_url(given).drivername == driver


def test_libpqs_sslmode_is_understood() -> None:
    assert async_url("postgresql://u@h/d?sslmode=require").query == {"ssl": "require"}


@pytest.mark.parametrize("given", ["oracle://u@h/d", "postgresql+psycopg2://u@h/d", "nonsense", ""])
def test_other_urls_are_refused(given: str) -> None:
    with pytest.raises(ValueError, match="database"):
        async_url(given)


async def test_a_local_postgresql_can_be_sent_much_at_once(resources: Resources) -> None:
    async with resources.database.writing() as session:
        connection = await (await session.connection()).get_raw_connection()
        assert connection.driver_connection
        wire = connection.driver_connection._transport.get_extra_info("socket")  # noqa: SLF001 - no other way
        size = wire.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
    allowed = int(Path("/proc/sys/net/core/wmem_max").read_text())
    assert wire.family == socket.AF_UNIX
    assert size == 2 * min(connections.SEND_BUFFER_BYTES, allowed)  # doubled for what Linux keeps beside


@every_database
async def test_times_come_back_aware_and_in_utc(resources: Resources) -> None:
    there = datetime(2026, 7, 1, 14, 30, 0, 123456, tzinfo=timezone(timedelta(hours=2)))
    await store(resources.database, user(1, created_at=there))
    async with resources.database.reading() as session:
        back = await session.scalar(select(User.created_at))
    assert back == there
    assert back.tzinfo is UTC


@every_database
async def test_a_naive_time_is_refused(resources: Resources) -> None:
    with pytest.raises(StatementError, match="naive"):
        await store(resources.database, user(1, created_at=datetime(2026, 1, 1)))  # noqa: DTZ001


@every_database
async def test_the_database_clock_counts_seconds(resources: Resources) -> None:
    async with resources.database.reading() as session:
        early, late = (await session.execute(select(now(), now(90.5)))).one()
    assert timedelta(seconds=90) < late - early < timedelta(seconds=91)
    assert abs(datetime.now(UTC) - early) < timedelta(seconds=5)


@every_database
async def test_a_reading_session_sees_one_snapshot(resources: Resources) -> None:
    async with resources.database.reading() as session:
        assert (await session.scalars(select(Tag.name))).all() == []
        async with resources.database.writing.begin() as other:
            await ensure_tags(other, {"late"})
        assert (await session.scalars(select(Tag.name))).all() == []


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_who_waited_for_the_writer_of_a_file_may_try_again(
    resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "SQLITE_BUSY_TIMEOUT_MS", 20)
    async with resources.database.engine.connect() as other:
        async with resources.database.writing.begin() as writer:
            await ensure_tags(writer, {"first"})
            with pytest.raises(DBAPIError, match="locked") as caught:
                await other.execute(insert(Tag).values(name="second"))
        assert fault_of(caught.value) is Fault.CONFLICT
        await other.rollback()
        await other.execute(insert(Tag).values(name="second"))


@known_keys
async def test_reserved_keys_are_free_and_distinct(resources: Resources) -> None:
    await store(resources.database, user(1), user(2))
    async with resources.database.writing.begin() as session:
        taken = set((await session.scalars(select(User.id))).all())
        keys = await reserve_ids(session, User.__table__, 5)
    assert len({*keys} - taken) == 5


@every_database
async def test_database_errors_are_told_apart(resources: Resources, backend: str) -> None:
    async def fault(**values: object) -> Fault:
        with pytest.raises(DBAPIError) as caught:
            async with resources.database.writing.begin() as session:
                await session.execute(insert(User).values({"site": SITE, "reputation": 0} | values))
        return fault_of(caught.value)

    await store(resources.database, user("1"))
    assert await fault(external_id="1") is Fault.CONFLICT
    assert await fault(external_id=None) is Fault.ROW
    if backend != "sqlite":  # which enforces no length and no range
        assert await fault(external_id="x" * 65) is Fault.ROW
        assert await fault(external_id="2", reputation=2**63) is Fault.ROW


async def test_a_transaction_that_a_paused_worker_left_open_is_ended_by_the_server(
    resources: Resources,
) -> None:
    async with resources.database.writing() as session:
        shown = await session.scalar(text("SHOW idle_in_transaction_session_timeout"))
        assert shown == "1min"
        await session.execute(text("SET idle_in_transaction_session_timeout = '100ms'"))
        await session.commit()
        await session.execute(select(1))
        await asyncio.sleep(0.5)  # as a paused process would be
        with pytest.raises(DBAPIError):
            await session.execute(select(1))


def test_the_utc_type_is_cached() -> None:
    assert UtcDateTime.cache_ok


@every_database
async def test_keys_differ_by_case_accent_and_trailing_space(resources: Resources) -> None:
    keys = {"r", "R", "\u00e9", "e", "e\u0301", "e ", " e", "\u00df", "ss", "\U0001f600", "\U0001f601"}
    await store(resources.database, *map(user, sorted(keys)))
    async with resources.database.writing.begin() as session:
        assert set(await ensure_tags(session, keys)) == keys
    async with resources.database.reading() as session:
        assert set(await session.scalars(select(User.external_id))) == keys
        assert set(await stored_ids(session, User, SITE, {"r", "e ", "ss"})) == {"r", "e ", "ss"}
        assert set(await stored_ids(session, User, SITE, {*keys, "none", '","', "\\"})) == keys


async def test_postgresql_plans_with_the_numbers_that_it_is_given(resources: Resources) -> None:
    """So it makes a hash table of them, or reads an index; otherwise each row would be held against all."""
    async with resources.database.reading() as session:
        given = numbers(User.id.type, range(20))
        query = select(User.id).where(User.id == any_(given))
        engine = resources.database.engine.sync_engine
        explained = text(f"EXPLAIN {query.compile(engine, compile_kwargs={'literal_binds': True})}")
        assert "{0,1,2,3,4" in "".join(await session.scalars(explained))
        rows = await session.execute(select(numbers(User.id.type, [3, None]), numbers(User.id.type, [])))
        assert tuple(rows.one()) == ([3, None], [])


@every_database
async def test_values_come_back_exactly(resources: Resources) -> None:
    values: dict[str, object] = {
        "text": "a\\b'c\"d%s:x\r\n\t\x01\x1a\U0001f600",
        "numbers": [2**63, -(2**63), 0.1, 1e300],
        "nothing": None,
        "nul": "\u0000",
        "deep": json.loads("[" * 90 + "]" * 90),
    }
    run_id = await resources.client.add([{"job": "x", "request": values, "queue": "default"}])
    async with resources.database.writing.begin() as session:
        [claimed] = await claim(session, run_id, "tests", 60)
    assert claimed.request == values


@every_database
async def test_all_bytes_come_back(resources: Resources) -> None:
    context = await running(resources)
    raw = bytes(range(256)) * 300
    async with context.batch() as batch:
        reject = {"entity": "x", "source": "x" * 70_000, "file_number": 0, "position": 0, "rule": "x"}
        batch.session.add(Reject(run_id=context.run_id, reason="r" * 70_000, raw=raw, **reject))
    async with resources.database.reading() as session:
        assert await session.scalar(select(Reject.raw)) == raw
