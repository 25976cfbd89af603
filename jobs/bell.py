"""The doorbell: Redis is told of queued runs, so that workers need not look for them."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, NamedTuple

from redis.exceptions import RedisError

from models.run import DEFAULT_QUEUE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from redis.asyncio import Redis

ARQ_QUEUE = "headrace"
CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 5.0  # a Redis that hangs is treated as one that is away
MOST_BELLS = 100
logger = logging.getLogger("headrace.client")


class Bell(NamedTuple):
    """A queued run that a worker is told of."""

    run_id: UUID
    queue: str


async def ring(redis: Redis, prefix: str, bells: Sequence[Bell]) -> None:
    """Tell the workers of queued runs; bells that cannot be rung are made good by the dispatcher.

    A run's id goes into arq's queue, and beside it into the list at which idle workers wait. What was asked
    for stays in the database: no message is kept that could be lost, or read by others.
    """
    moment_ms = time.time_ns() // 1_000_000
    try:
        async with redis.pipeline(transaction=False) as pipe:
            for queue in {bell.queue for bell in bells}:
                key = arq_queue(prefix, queue)
                names = [str(bell.run_id) for bell in bells if bell.queue == queue]
                pipe.zadd(key, dict.fromkeys(names, moment_ms), nx=True)
                pipe.rpush(bell_of(key), *names[:MOST_BELLS])
                pipe.ltrim(bell_of(key), -MOST_BELLS, -1)
            await pipe.execute()
    except (RedisError, OSError) as error:
        logger.warning("bell.missed", extra={"runs": len(bells), "error": type(error).__name__})


def arq_queue(prefix: str, queue: str) -> str:
    """Name the arq queue of one of our queues: the default one bears the bare name, for plain arq askers."""
    return prefix if queue == DEFAULT_QUEUE else f"{prefix}:{queue}"


def bell_of(key: str) -> str:
    """Name the list beside an arq queue at which idle workers wait."""
    return f"{key}:bell"
