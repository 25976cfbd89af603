"""Which runs are waiting for a worker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select

from models.clock import now
from models.limit import AT_WORK
from models.run import Run, State

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from uuid import UUID

    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncSession

DUE = (Run.state == State.QUEUED) & (Run.run_at <= now())


async def due_runs(session: AsyncSession, limit: int) -> Sequence[Row[UUID, str]]:
    """List runs that a worker could take now, the longest waiting first, as (id, queue).

    Of the runs of one limit key only as many are listed as may start besides those that are running.
    """
    free = select(Run.id, Run.queue).where(DUE, Run.limit_key.is_(None))
    rows = (await session.execute(free.order_by(Run.run_at).limit(limit))).all()
    return [*rows, *await due_within_limits(session, None, limit)]


async def due_within_limits(
    session: AsyncSession, keys: Collection[str] | None, limit: int
) -> Sequence[Row[UUID, str]]:
    """List the runs that may start next of these limit keys, or of all, as (id, queue)."""
    which = Run.limit_key.is_not(None) if keys is None else Run.limit_key.in_(keys)
    at_work = (
        select(Run.limit_key, func.count().label("number"))
        .where(which, AT_WORK)
        .group_by(Run.limit_key)
        .subquery()
    )
    place = func.row_number().over(partition_by=Run.limit_key, order_by=(Run.run_at, Run.id)).label("place")
    waiting = (
        select(Run.id, Run.queue, Run.run_at, Run.limit_key, Run.limit_count, place)
        .where(which, DUE)
        .subquery()
    )
    query = (
        select(waiting.c.id, waiting.c.queue)
        .outerjoin(at_work, at_work.c.limit_key == waiting.c.limit_key)
        .where(waiting.c.place <= waiting.c.limit_count - func.coalesce(at_work.c.number, 0))
        .order_by(waiting.c.run_at)
        .limit(limit)
    )
    return (await session.execute(query)).all()


async def is_drained(session: AsyncSession, queues: Collection[str]) -> bool:
    """Tell whether nothing in these queues is running, due, or to be tried again."""
    retried = (Run.state == State.QUEUED) & (Run.failures > 0)
    still_open = DUE | retried | (Run.state == State.RUNNING)
    query = select(Run.id).where(Run.queue.in_(queues), still_open)
    return await session.scalar(query.limit(1)) is None


async def known_runs(session: AsyncSession, run_ids: Collection[UUID]) -> set[UUID]:
    """Tell which of these runs the ledger knows, in whatever state."""
    return set(await session.scalars(select(Run.id).where(Run.id.in_(run_ids))))
