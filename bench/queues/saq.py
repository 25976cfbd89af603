"""SAQ as its documentation begins: a queue on a Redis client and `saq module.settings`."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from redis.asyncio import Redis
from saq.queue.redis import RedisQueue

from bench.marks import mark
from bench.producer import PAUSE_SECONDS, SLOTS, Producer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bench.producer import JobName

# What Queue.from_url makes; that does not know the URL of a socket.
queue = RedisQueue(Redis.from_url(os.environ["REDIS_URL"]))


async def no_op(_ctx: dict[str, Any], *, number: int) -> None:
    mark(number, time.monotonic_ns())


async def pause(_ctx: dict[str, Any], *, number: int) -> None:
    began = time.monotonic_ns()
    await asyncio.sleep(PAUSE_SECONDS)
    mark(number, began)


settings = {"queue": queue, "functions": [no_op, pause], "concurrency": SLOTS}


@asynccontextmanager
async def producing() -> AsyncIterator[Producer]:
    await queue.connect()

    async def many(job: JobName, numbers: range) -> None:
        for number in numbers:
            await queue.enqueue(job, number=number)

    yield Producer(lambda number: queue.enqueue("no_op", number=number), many)
    await queue.disconnect()
