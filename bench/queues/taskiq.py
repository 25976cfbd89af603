"""Taskiq as the documentation of taskiq-redis begins: a stream broker with a result backend."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from taskiq_redis import RedisAsyncResultBackend, RedisStreamBroker

from bench.marks import mark
from bench.producer import PAUSE_SECONDS, Producer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bench.producer import JobName

URL = os.environ["REDIS_URL"]
broker = RedisStreamBroker(url=URL).with_result_backend(RedisAsyncResultBackend(redis_url=URL))


@broker.task(task_name="no_op")
async def no_op(number: int) -> None:
    mark(number, time.monotonic_ns())


@broker.task(task_name="pause")
async def pause(number: int) -> None:
    began = time.monotonic_ns()
    await asyncio.sleep(PAUSE_SECONDS)
    mark(number, began)


@asynccontextmanager
async def producing() -> AsyncIterator[Producer]:
    await broker.startup()

    async def many(job: JobName, numbers: range) -> None:
        task = {"no_op": no_op, "pause": pause}[job]
        for number in numbers:
            await task.kiq(number)

    yield Producer(no_op.kiq, many)
    await broker.shutdown()
