"""The dispatcher: rings for queued runs that Redis does not know, takes back runs of silent workers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from jobs.bell import Bell, arq_queue, ring
from models.claim import take_back_expired
from models.due import due_runs
from worker.rounds import over

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence

    from arq.connections import ArqRedis

    from worker.resources import Resources

log = structlog.get_logger("headrace.dispatcher")

EVERY_SECONDS = 1.0
AWAY = (OSError, SQLAlchemyError, RedisError)
RUNS_AT_ONCE = 1_000
MOST_CRASHES = 5  # workers that may die on a run before it is parked


async def dispatch(resources: Resources) -> int:
    """Do one round; return how many bells were rung."""
    redis = resources.redis
    if redis is None:
        return 0
    async with resources.database.writing.begin() as session:
        for run_id, state in await take_back_expired(session, MOST_CRASHES):
            log.warning("run.taken_back", run_id=str(run_id), state=state)
        due = [Bell(*row) for row in await due_runs(session, RUNS_AT_ONCE)]
    missing = await _missing(redis, due) if due else []
    if missing:
        await ring(redis, resources.settings.queue, missing)
    return len(missing)


async def _missing(redis: ArqRedis, bells: Sequence[Bell]) -> list[Bell]:
    """Find the bells that are not in Redis."""
    async with redis.pipeline(transaction=False) as pipe:
        for bell in bells:
            pipe.zscore(arq_queue(redis.default_queue_name, bell.queue), str(bell.run_id))
        scores = await pipe.execute()
    return [bell for bell, score in zip(bells, scores, strict=True) if score is None]


async def keep_dispatching(resources: Resources, stop: asyncio.Event) -> None:
    """Dispatch again and again; a database or Redis that is away is tried again in the next round."""
    while not await over(stop, EVERY_SECONDS):
        try:
            await dispatch(resources)
        except AWAY as error:
            log.warning("dispatch.failed", error=type(error).__name__)
