"""What a process opens once and closes in reverse: embedded services, database, Redis, client."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from redis.exceptions import RedisError
from sqlalchemy import make_url
from sqlalchemy.exc import SQLAlchemyError

from jobs.client import JobClient
from models.database import open_database
from models.revision import revision_of
from models.server import server_of
from worker.arq_redis import open_redis
from worker.embedded import embedded_services
from worker.schema import SchemaError, check_schema, migrate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from arq.connections import ArqRedis
    from sqlalchemy.ext.asyncio import AsyncEngine

    from models.database import Database
    from worker.settings import Settings


SQLITE_THREAD_ENDS_SECONDS = 0.1


class ServiceError(Exception):
    """A service cannot be reached."""


@dataclass(frozen=True, slots=True)
class Resources:
    """Everything a command or a worker works with."""

    settings: Settings
    database: Database
    redis: ArqRedis | None
    client: JobClient


@asynccontextmanager
async def open_resources(
    settings: Settings, *, redis: bool = False, schema: bool = True
) -> AsyncIterator[Resources]:
    """Open the database and, if asked for, Redis; start those that are embedded.

    The embedded database is migrated on the way: nobody else looks after it.

    Raises:
        ServiceError: a service does not answer; one line that names it without its password.
        SchemaError: `schema` is asked for and the database is not migrated.

    """
    own_database, own_redis = settings.database_url is None, settings.redis_url is None and redis
    async with AsyncExitStack() as stack:
        services = await stack.enter_async_context(
            embedded_services(settings.home, postgres=own_database, redis=own_redis)
        )
        url = settings.database_url or services.database_url or ""
        database = await stack.enter_async_context(open_database_of(settings, url))
        await check_database(database.engine, migrated=own_database, schema=schema)
        arq = await connect_redis(settings, settings.redis_url or services.redis_url) if redis else None
        if arq is not None:
            stack.push_async_callback(arq.aclose, close_connection_pool=True)
        client = JobClient(database, arq, settings.queue)
        stack.push_async_callback(client.wait_for_bells)
        yield Resources(settings, database, arq, client)


@asynccontextmanager
async def open_database_of(settings: Settings, url: str) -> AsyncIterator[Database]:
    """Open the database at a URL, and its replica if there is one.

    Raises:
        ServiceError: its driver is not installed.

    """
    async with AsyncExitStack() as stack:
        try:
            database = await stack.enter_async_context(
                open_database(
                    url,
                    application="headrace",
                    pool_size=settings.connections,
                    replica_url=settings.database_replica_url,
                    statement_seconds=settings.statement_seconds,
                )
            )
        except ModuleNotFoundError as error:
            raise ServiceError(f"this database needs the package {error.name}; install it") from error
        yield database


async def check_database(engine: AsyncEngine, *, migrated: bool, schema: bool) -> str | None:
    """See that a database answers and has the schema; bring it there first if it is ours (`migrated`).

    Return the schema's revision; None if it has none and need not (`schema`).

    Raises:
        ServiceError: it does not answer.
        SchemaError: it is not migrated.

    """
    where = engine.url.render_as_string(hide_password=True)
    try:
        await _connect(engine)
        return await _schema_of(engine, migrated=migrated, schema=schema)
    except (OSError, OverflowError, TypeError, ValueError, SQLAlchemyError) as error:
        # The driver raises TypeError and ValueError for options of the URL that it does not know.
        if engine.dialect.name == "sqlite":
            # The driver's thread still reports to this loop when opening the file failed.
            await asyncio.sleep(SQLITE_THREAD_ENDS_SECONDS)
        raise ServiceError(f"the database {where} cannot be used: {_reason(error)}") from error


async def _connect(engine: AsyncEngine) -> None:
    """See what the server is; a pool keeps the connection for what follows."""
    async with engine.connect():
        complaint = server_of(engine).complaint
    if complaint:
        raise ServiceError(complaint)


async def _schema_of(engine: AsyncEngine, *, migrated: bool, schema: bool) -> str | None:
    if not schema:
        return await revision_of(engine)
    try:
        return await check_schema(engine)
    except SchemaError:
        if not migrated:
            raise
        return await migrate(engine)


async def connect_redis(settings: Settings, url: str | None) -> ArqRedis:
    """Connect to Redis.

    Raises:
        ServiceError: it does not answer.

    """
    redis = open_redis(url or "", settings.queue)
    try:
        await redis.ping()
    except (OSError, TypeError, ValueError, RedisError) as error:
        await redis.aclose(close_connection_pool=True)
        where = make_url(url or "").render_as_string(hide_password=True)
        raise ServiceError(f"Redis at {where} cannot be used: {_reason(error)}") from error
    return redis


def _reason(error: BaseException) -> str:
    """Say in one line why a service cannot be reached."""
    inner = getattr(error, "orig", None) or error
    return (str(inner).strip() or type(inner).__name__).splitlines()[0]
