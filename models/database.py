"""Engines and sessions. Knows URLs and pools, no settings."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import URL, event, make_url, text
from sqlalchemy.exc import ArgumentError, InvalidatePoolError
from sqlalchemy.ext.asyncio import (
    AsyncConnection,
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)

from models.folded import lowered

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine

    from sqlalchemy import Connection

Value = TypeVar("Value")
DRIVERS = {
    "postgresql": "postgresql+asyncpg",
    "postgres": "postgresql+asyncpg",
    "sqlite": "sqlite+aiosqlite",
    "mysql": "mysql+aiomysql",
    "mariadb": "mysql+aiomysql",
}
SQLITE_BUSY_TIMEOUT_MS = 30_000
REST_SECONDS = 1.0
# A worker that is paused in the middle of a batch must not keep its row locks from the one that follows.
IDLE_TRANSACTION_MS = 60_000


def async_url(url: str) -> URL:
    """Read a database URL; a plain `postgresql://`, `sqlite://` or `mysql://` means its async driver.

    Raises:
        ValueError: the URL cannot be read, or names a driver that is not asynchronous.

    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise ValueError("not a database URL; expected e.g. postgresql://user@host/name") from error
    name = DRIVERS.get(parsed.drivername, parsed.drivername)
    if name not in {*DRIVERS.values(), "mysql+asyncmy"}:
        raise ValueError(f"unknown database driver {parsed.drivername!r}; use postgresql, sqlite or mysql")
    parsed = parsed.set(drivername=name)
    if name == DRIVERS["postgresql"] and "sslmode" in parsed.query:
        # libpq's name for it, as hosted databases hand it out; asyncpg takes the same values as `ssl`.
        mode = parsed.query["sslmode"]
        parsed = parsed.difference_update_query(["sslmode"]).update_query_dict({"ssl": mode})
    return parsed


@dataclass(frozen=True, slots=True)
class Database:
    """One engine and the two ways to open a session on it; each session belongs to one task.

    `reading` sessions are read-only and see one consistent snapshot for as long as their transaction
    lives; `writing` sessions flush only when told to.
    """

    engine: AsyncEngine
    writing: async_sessionmaker[AsyncSession]
    reading: async_sessionmaker[AsyncSession]
    committing: AsyncEngine | None
    """The same engine, committing each statement by itself, where that saves round trips."""

    @asynccontextmanager
    async def statement(self) -> AsyncIterator[AsyncConnection]:
        """Open a connection for one statement which is a transaction by itself.

        On PostgreSQL it saves the round trips of BEGIN and COMMIT, which each run would pay for.
        """
        opened = self.committing.connect() if self.committing else self.engine.begin()
        async with opened as connection:
            yield connection


@asynccontextmanager
async def open_database(url: str, *, pool_size: int = 5, application: str) -> AsyncIterator[Database]:
    """Open a database and close it again; nothing connects before the first statement."""
    engine = create_async_engine(
        async_url(url), hide_parameters=True, **_options(url, pool_size, application)
    )
    if engine.dialect.name == "sqlite":
        _prepare_sqlite(engine)
    else:
        _ping_after_rest(engine)
    snapshot: dict[str, Any] = {"read_only": True}
    committing = None
    if engine.dialect.name == "postgresql":
        snapshot |= {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        committing = engine.execution_options(isolation_level="AUTOCOMMIT")
    try:
        yield Database(
            engine=engine,
            writing=async_sessionmaker(engine, expire_on_commit=False, autoflush=False),
            reading=async_sessionmaker(
                engine.execution_options(**snapshot), expire_on_commit=False, autoflush=False
            ),
            committing=committing,
        )
    finally:
        await engine.dispose()


async def most_connections(engine: AsyncEngine) -> int | None:
    """Say how many connections the server grants to ordinary users in all; None if it has no such bound."""
    if engine.dialect.name != "postgresql":
        return None
    query = text(
        "SELECT sum(setting::int * CASE name WHEN 'max_connections' THEN 1 ELSE -1 END) FROM pg_settings "
        "WHERE name IN ('max_connections', 'superuser_reserved_connections', 'reserved_connections')"
    )
    async with engine.connect() as connection:
        return int((await connection.execute(query)).scalar_one())


def _options(url: str, pool_size: int, application: str) -> dict[str, Any]:
    backend = async_url(url).get_backend_name()
    # Last in, first out: connections that are in use stay warm, and the others may rest.
    pool = {"pool_size": pool_size, "max_overflow": 0, "pool_timeout": 30, "pool_use_lifo": True}
    if backend == "postgresql":
        # A just-in-time compile costs more than any of our statements runs.
        settings = {
            "application_name": application,
            "jit": "off",
            "idle_in_transaction_session_timeout": str(IDLE_TRANSACTION_MS),
        }
        return pool | {"connect_args": {"server_settings": settings, "timeout": 10}}
    return pool if backend != "sqlite" or async_url(url).database else {}


def _ping_after_rest(engine: AsyncEngine) -> None:
    """Test a connection that has rested before it is used again: the server may be gone or restarted.

    The pool's own pre-ping would test each time, which costs a busy worker a round trip per transaction.
    """
    dialect = engine.dialect

    @event.listens_for(engine.sync_engine, "checkin")
    def checked_in(_connection: object, record: Any) -> None:
        record.info["rests_since"] = time.monotonic()

    @event.listens_for(engine.sync_engine, "checkout")
    def checked_out(connection: Any, record: Any, _proxy: object) -> None:
        now = time.monotonic()
        if now - record.info.get("rests_since", now) < REST_SECONDS:
            return
        try:
            dialect.do_ping(connection)
        except dialect.loaded_dbapi.Error as error:
            raise InvalidatePoolError from error


def _prepare_sqlite(engine: AsyncEngine) -> None:
    """Make SQLite wait for its one writer, check foreign keys and keep real transactions and savepoints."""

    @event.listens_for(engine.sync_engine, "connect")
    def connected(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # the driver must not begin transactions on its own
        connection.create_function("lower", 1, lowered, deterministic=True)
        cursor = connection.cursor()
        for pragma in (
            f"busy_timeout={SQLITE_BUSY_TIMEOUT_MS}",
            "journal_mode=WAL",
            "synchronous=NORMAL",
            "foreign_keys=ON",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begun(connection: Connection) -> None:
        # A writer takes its lock at once: a read that turns into a write later could not wait for it.
        read_only = connection.get_execution_options().get("read_only", False)
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


async def to_its_end(step: Coroutine[Any, Any, Value]) -> Value:
    """Await a step that must not be cut short; a cancellation takes effect after it.

    A batch is such a step: it is short, and asyncpg hangs when it is cancelled while it pipelines rows. So
    is writing down what an attempt came to.
    """
    task = asyncio.ensure_future(step)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        if not task.cancelled() and (error := task.exception()):
            raise error from None
        raise
