"""The way in for other services: ask for a job by writing a run, then ring the worker's bell."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from itertools import repeat
from typing import TYPE_CHECKING, Any

from redis.asyncio import ConnectionPool, Redis
from sqlalchemy import event

from jobs.bell import ANSWER_SECONDS, ARQ_QUEUE, CONNECT_SECONDS, Bell, ring
from jobs.tracing import traceparent
from models.database import open_database, to_its_end
from models.outbox import Unique, add_run, add_runs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Iterable, Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession
    from sqlalchemy.orm import Session

    from jobs.request_values import QueueName
    from jobs.requests import Request
    from models.database import Database
    from models.outbox import Scope


def row_of(request: Request, queue: QueueName | None = None) -> dict[str, Any]:
    """Make the row of a request for the ledger."""
    limited = request.limit_count is not None
    return {
        "job": request.job,
        "request": request.document(),
        "queue": queue or request.queue,
        "limit_key": request.limit_key if limited else None,
        "limit_count": request.limit_count,
        "traceparent": traceparent(),
    }


def after_one_another(row: dict[str, Any], unique: Scope) -> dict[str, Any]:
    """Let the runs of a key that is free again once its run has started wait for one another."""
    if row["unique_key"] and unique == Unique.UNTIL_STARTED and row["limit_key"] is None:
        return row | {"limit_key": row["unique_key"], "limit_count": 1}
    return row


class JobClient:
    """Asks for jobs. One client serves a whole process; without Redis, runs wait for the dispatcher."""

    def __init__(self, database: Database, redis: Redis | None, prefix: str = ARQ_QUEUE) -> None:
        self._database = database
        self._redis = redis
        self._prefix = prefix
        self._bells: set[asyncio.Task[None]] = set()

    async def enqueue(  # noqa: PLR0913 - each says when or where to run
        self,
        request: Request,
        *,
        session: AsyncSession | None = None,
        unique_key: str | None = None,
        unique: Scope = Unique.ALWAYS,
        run_at: datetime | None = None,
        queue: QueueName | None = None,
        parent_id: UUID | None = None,
    ) -> UUID:
        """Write a run and return its id; where `unique_key` is taken, return the id of the run that has it.

        With a session the run is part of the caller's transaction: it exists if and only if that commits,
        and the bell rings after the commit. Without one the run is committed here. A run for later (`run_at`)
        is rung for by the dispatcher when its time has come. `unique` says for how long the key is taken;
        with `Unique.UNTIL_STARTED` the runs of a key also wait for one another.
        """
        asked = {"unique_key": unique_key, "run_at": run_at, "parent_id": parent_id}
        row = after_one_another(row_of(request, queue) | asked, unique)
        return (await self.add([row], session=session, unique=unique))[0]

    async def enqueue_many(
        self,
        requests: Iterable[Request],
        *,
        session: AsyncSession | None = None,
        unique_keys: Iterable[str | None] | None = None,
        queue: QueueName | None = None,
    ) -> list[UUID]:
        """Write many runs as one, all or none, and return their ids in the same order."""
        rows = [row_of(request, queue) for request in requests]
        for row, key in zip(rows, unique_keys or repeat(None), strict=unique_keys is not None):
            row["unique_key"] = key
        return await self.add(rows, session=session)

    async def add(
        self,
        rows: Sequence[dict[str, Any]],
        *,
        session: AsyncSession | None = None,
        unique: Scope = Unique.ALWAYS,
    ) -> list[UUID]:
        """Write rows made by `row_of` and ring for those that are due now."""
        if session is not None:
            ids = await add_runs(session, rows, unique)
            self._ring_after_commit(session.sync_session, _bells(rows, ids))
            return ids
        if len(rows) == 1 and rows[0].get("unique_key") is None:
            async with self._database.statement() as connection:
                ids = [await add_run(connection, rows[0])]
        else:
            ids = await to_its_end(self._add_and_commit(rows, unique))
        if self._redis is not None and (bells := _bells(rows, ids)):
            await ring(self._redis, self._prefix, bells)
        return ids

    async def _add_and_commit(self, rows: Sequence[dict[str, Any]], unique: Scope) -> list[UUID]:
        async with self._database.writing.begin() as own:
            return await add_runs(own, rows, unique)

    def _ring_after_commit(self, session: Session, bells: Sequence[Bell]) -> None:
        pending: list[Bell] | None = session.info.get(self)
        if pending is None:
            pending = session.info[self] = []
            event.listen(session, "after_commit", self._committed)
            event.listen(session, "after_rollback", self._rolled_back)
        pending.extend(bells)

    def _committed(self, session: Session) -> None:
        # A released savepoint is reported as a commit too; only the outermost one makes the run visible.
        if self._redis is None or session.in_nested_transaction():
            return
        bells = list(session.info[self])
        session.info[self].clear()
        if bells:
            self.ring_beside(ring(self._redis, self._prefix, bells))

    def _rolled_back(self, session: Session) -> None:
        if not session.in_nested_transaction():
            session.info[self].clear()

    def ring_beside(self, ringing: Coroutine[Any, Any, None]) -> None:
        """Ring without anybody waiting for it: a Redis that hangs holds up nothing."""
        task = asyncio.get_running_loop().create_task(ringing)
        self._bells.add(task)
        task.add_done_callback(self._bells.discard)

    async def wait_for_bells(self) -> None:
        """Wait until the bells that are being rung have rung."""
        await asyncio.gather(*self._bells)


@asynccontextmanager
async def open_client(
    database_url: str, redis_url: str | None = None, *, queue: str = ARQ_QUEUE
) -> AsyncIterator[JobClient]:
    """Open a client with connections of its own and close them again."""
    async with open_database(database_url, pool_size=2, application="headrace client") as database:
        redis = _open_redis(redis_url) if redis_url else None
        client = JobClient(database, redis, queue)
        try:
            yield client
        finally:
            await client.wait_for_bells()
            if redis is not None:
                await redis.aclose(close_connection_pool=True)


def _open_redis(url: str) -> Redis:
    pool = ConnectionPool.from_url(url, socket_connect_timeout=CONNECT_SECONDS, socket_timeout=ANSWER_SECONDS)
    return Redis(connection_pool=pool)


def _bells(rows: Sequence[dict[str, Any]], ids: Sequence[UUID]) -> list[Bell]:
    return [
        Bell(run_id, row["queue"]) for row, run_id in zip(rows, ids, strict=True) if row.get("run_at") is None
    ]
