"""streaQ as its documentation begins: a worker object, `streaq run` and its bulk call."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from streaq import Worker

from bench.marks import mark
from bench.producer import PAUSE_SECONDS, SLOTS, Producer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bench.producer import JobName

worker = Worker(redis_url=os.environ["REDIS_URL"], concurrency=SLOTS)


@worker.task()
async def no_op(number: int) -> None:
    mark(number, time.monotonic_ns())


@worker.task()
async def pause(number: int) -> None:
    began = time.monotonic_ns()
    await asyncio.sleep(PAUSE_SECONDS)
    mark(number, began)


@asynccontextmanager
async def producing() -> AsyncIterator[Producer]:
    async def one(number: int) -> None:
        await no_op.enqueue(number)

    async def many(job: JobName, numbers: range) -> None:
        task = {"no_op": no_op, "pause": pause}[job]
        await worker.enqueue_many([task.enqueue(number) for number in numbers])

    async with worker:
        yield Producer(one, many)
