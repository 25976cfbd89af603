"""Engines and sessions. Knows URLs and pools, no settings."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import text
from sqlalchemy.ext.asyncio import (
    AsyncConnection,
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)

from models.connections import ping_after_rest, prepare_sqlite, widen_sockets
from models.dialect import is_away
from models.mysql import MYSQL_OPTIONS, prepare_mysql
from models.pgbouncer import committing, prepare_pgbouncer
from models.replica import Replica
from models.session import READ_ONLY, DatabaseSession, is_on_replica
from models.statements import STATEMENT_SECONDS, limit_statements, mark_statements
from models.urls import async_url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Sequence

Value = TypeVar("Value")
MOST_CONNECTIONS = {
    "postgresql": (
        "SELECT sum(setting::int * CASE name WHEN 'max_connections' THEN 1 ELSE -1 END) FROM pg_settings "
        "WHERE name IN ('max_connections', 'superuser_reserved_connections', 'reserved_connections')"
    ),
    "mysql": "SELECT IF(@@max_user_connections, LEAST(@@max_user_connections, @@max_connections), "
    "@@max_connections)",
}
# A worker that is paused in the middle of a batch must not keep its row locks from the one that follows.
IDLE_TRANSACTION_MS = 60_000


@dataclass(frozen=True, slots=True)
class Database:
    """The primary, perhaps a replica, and the ways to open a session; each session belongs to one task.

    `writing` sessions flush only when told to. `reading` sessions are read-only and see one consistent
    snapshot for as long as their transaction lives; it is the primary's, and never stale. Both take the
    `tag` of a run. What is only shown to somebody is read by `reporting`.
    """

    engine: AsyncEngine
    writing: async_sessionmaker[AsyncSession]
    reading: async_sessionmaker[AsyncSession]
    committing: AsyncEngine | None
    """The same engine, committing each statement by itself, where that saves round trips."""
    replica: Replica | None = None

    @property
    def engines(self) -> Sequence[AsyncEngine]:
        """The primary's engine, and the replica's if there is one."""
        return [self.engine, self.replica.engine] if self.replica else [self.engine]

    @asynccontextmanager
    async def reporting(self, *, fresh: bool = False, tag: str | None = None) -> AsyncIterator[AsyncSession]:
        """Open a session like `reading`, on the replica if there is one and it answers.

        What it sees may be older than the last commits; with `fresh` it has everything that was committed
        before. `tag` names the run it works for.
        """
        async with self.reading(tag=tag) as session:
            if self.replica:
                await self.replica.take(session, fresh=fresh)
            try:
                yield session
            except Exception as error:  # of any kind: in a stream they come as the driver raises them
                if self.replica and is_on_replica(session) and is_away(error):
                    self.replica.lost(error)
                raise

    @asynccontextmanager
    async def statement(self) -> AsyncIterator[AsyncConnection]:
        """Open a connection for one statement which is a transaction by itself.

        On PostgreSQL it saves the round trips of BEGIN and COMMIT, which each run would pay for.
        """
        opened = self.committing.connect() if self.committing else self.engine.begin()
        async with opened as connection:
            yield connection


@asynccontextmanager
async def open_database(
    url: str,
    *,
    application: str,
    pool_size: int = 5,
    replica_url: str | None = None,
    statement_seconds: float = STATEMENT_SECONDS,
) -> AsyncIterator[Database]:
    """Open a database and close it again; nothing connects before the first statement.

    The replica gets a pool of the same size. A statement that takes longer than `statement_seconds` is
    ended by the server; 0 means no limit.
    """
    async with AsyncExitStack() as stack:
        opened = []
        for address in filter(None, (url, replica_url)):
            engine = _engine(address, pool_size, application)
            stack.push_async_callback(engine.dispose)
            limit_statements(engine, statement_seconds)
            prepare_pgbouncer(engine)
            mark_statements(engine)
            opened.append(engine)
        yield _database(*opened)


def _engine(url: str, pool_size: int, application: str) -> AsyncEngine:
    options = _options(url, pool_size, application)
    engine = create_async_engine(async_url(url), hide_parameters=True, **options)
    if engine.dialect.name == "sqlite":
        prepare_sqlite(engine)
    else:
        ping_after_rest(engine)
    if engine.dialect.name == "mysql":
        prepare_mysql(engine)
    if engine.dialect.name == "postgresql":
        widen_sockets(engine)
    return engine


def _database(primary: AsyncEngine, replica: AsyncEngine | None = None) -> Database:
    alone = committing(primary)
    return Database(
        engine=primary,
        writing=_sessions(primary),
        reading=_sessions(_snapshot(primary)),
        committing=alone,
        replica=Replica(_snapshot(replica), alone or primary) if replica else None,
    )


def _snapshot(engine: AsyncEngine) -> AsyncEngine:
    """Give the engine for transactions that may not write and see one state of the database."""
    options: dict[str, Any] = {READ_ONLY: True}
    if engine.dialect.name == "postgresql":
        options |= {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    return engine.execution_options(**options)


def _sessions(engine: AsyncEngine) -> async_sessionmaker[AsyncSession]:
    return async_sessionmaker(engine, class_=DatabaseSession, expire_on_commit=False, autoflush=False)


async def most_connections(engine: AsyncEngine) -> int | None:
    """Say how many connections the server grants to ordinary users in all; None if it has no such bound."""
    query = MOST_CONNECTIONS.get(engine.dialect.name)
    if query is None:
        return None
    async with engine.connect() as connection:
        return int((await connection.execute(text(query))).scalar_one())


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
    if backend == "mysql":
        return pool | MYSQL_OPTIONS
    return pool if async_url(url).database else {}


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
