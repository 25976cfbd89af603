"""The way in for other services: ask for a job by writing a run, then ring the worker's bell."""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from arq.connections import ArqRedis
from arq.constants import job_key_prefix
from arq.jobs import serialize_job
from arq.utils import timestamp_ms
from redis.asyncio import ConnectionPool
from redis.exceptions import RedisError
from sqlalchemy import event

from models.database import open_database
from models.run import add_run

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
    from sqlalchemy.orm import Session

    from jobs.requests import Request

DEFAULT_QUEUE = "headrace"
RUN_ARGUMENT = "run_id"  # all that a bell carries; the request stays in the database
CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 5.0  # a Redis that hangs is treated as one that is away
MOST_BELLS = 100
logger = logging.getLogger("headrace.client")


def to_json(value: Any) -> bytes:
    """Serialise what arq puts into Redis; anything JSON does not know is kept as its text."""
    return json.dumps(value, default=str).encode()


from_json = json.loads


def open_redis(url: str, queue: str = DEFAULT_QUEUE) -> ArqRedis:
    """Make a Redis client for arq with JSON in both directions; it connects with the first command."""
    pool = ConnectionPool.from_url(url, socket_connect_timeout=CONNECT_SECONDS, socket_timeout=ANSWER_SECONDS)
    return ArqRedis(pool, job_serializer=to_json, job_deserializer=from_json, default_queue_name=queue)


async def ring(redis: ArqRedis, runs: Sequence[tuple[UUID, str]]) -> None:
    """Tell the workers of queued runs (id, job); bells that cannot be rung are made good by the dispatcher.

    A message is what arq itself would write, in one round trip for all; the list beside the queue is what
    idle workers wait at.
    """
    queue, moment = redis.default_queue_name, timestamp_ms()
    try:
        async with redis.pipeline(transaction=False) as pipe:
            for run_id, job in runs:
                name, argument = str(run_id), {RUN_ARGUMENT: str(run_id)}
                message = serialize_job(job, (), argument, None, moment, serializer=to_json)
                pipe.set(job_key_prefix + name, message, px=redis.expires_extra_ms, nx=True)
                pipe.zadd(queue, {name: moment}, nx=True)
            pipe.lpush(bell_of(queue), *("ring" for _ in runs[:MOST_BELLS]))
            pipe.ltrim(bell_of(queue), 0, MOST_BELLS - 1)
            await pipe.execute()
    except (RedisError, OSError) as error:
        logger.warning("bell.missed", extra={"runs": len(runs), "error": type(error).__name__})


def bell_of(queue: str) -> str:
    """Name the list beside a queue at which idle workers wait."""
    return f"{queue}:bell"


class JobClient:
    """Asks for jobs. One client serves a whole process; without Redis, runs wait for the dispatcher."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession], redis: ArqRedis | None) -> None:
        self._sessions = sessions
        self._redis = redis
        self._bells: set[asyncio.Task[None]] = set()

    async def enqueue(
        self,
        request: Request,
        *,
        session: AsyncSession | None = None,
        unique_key: str | None = None,
        run_at: datetime | None = None,
        parent_id: UUID | None = None,
    ) -> UUID:
        """Write a run and return its id; where `unique_key` was used before, return that run's id.

        With a session the run is part of the caller's transaction: it exists if and only if that commits,
        and the bell rings after the commit. Without one the run is committed here. A run for later (`run_at`)
        is rung for by the dispatcher when its time has come.
        """
        row = {
            "job": request.job,
            "request": request.model_dump(mode="json"),
            "unique_key": unique_key,
            "run_at": run_at,
            "parent_id": parent_id,
        }
        if session is not None:
            run_id = await add_run(session, row)
            if run_at is None:
                self._ring_after_commit(session.sync_session, run_id, request.job)
            return run_id
        async with self._sessions.begin() as own:
            run_id = await add_run(own, row)
        if self._redis is not None and run_at is None:
            await ring(self._redis, [(run_id, request.job)])
        return run_id

    def _ring_after_commit(self, session: Session, run_id: UUID, job: str) -> None:
        pending: list[tuple[UUID, str]] | None = session.info.get(self)
        if pending is None:
            pending = session.info[self] = []
            event.listen(session, "after_commit", self._committed)
            event.listen(session, "after_rollback", self._rolled_back)
        pending.append((run_id, job))

    def _committed(self, session: Session) -> None:
        # A released savepoint is reported as a commit too; only the outermost one makes the run visible.
        if self._redis is None or session.in_nested_transaction():
            return
        runs = list(session.info[self])
        session.info[self].clear()
        if runs:
            bell = asyncio.get_running_loop().create_task(ring(self._redis, runs))
            self._bells.add(bell)
            bell.add_done_callback(self._bells.discard)

    def _rolled_back(self, session: Session) -> None:
        if not session.in_nested_transaction():
            session.info[self].clear()

    async def wait_for_bells(self) -> None:
        """Wait until the bells of committed sessions have rung."""
        await asyncio.gather(*self._bells)


@asynccontextmanager
async def open_client(
    database_url: str, redis_url: str | None = None, *, queue: str = DEFAULT_QUEUE
) -> AsyncIterator[JobClient]:
    """Open a client with connections of its own and close them again."""
    async with open_database(database_url, pool_size=2, application="headrace client") as database:
        redis = open_redis(redis_url, queue) if redis_url else None
        client = JobClient(database.writing, redis)
        try:
            yield client
        finally:
            await client.wait_for_bells()
            if redis is not None:
                await redis.aclose(close_connection_pool=True)
