"""arq as its documentation begins: `arq module.WorkerSettings`, with all defaults."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from arq import create_pool
from arq.connections import RedisSettings

from bench.marks import mark
from bench.producer import PAUSE_SECONDS, Producer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bench.producer import JobName


async def no_op(_ctx: dict[str, Any], number: int) -> None:
    mark(number, time.monotonic_ns())


async def pause(_ctx: dict[str, Any], number: int) -> None:
    began = time.monotonic_ns()
    await asyncio.sleep(PAUSE_SECONDS)
    mark(number, began)


class WorkerSettings:
    functions: ClassVar = [no_op, pause]
    redis_settings = RedisSettings.from_dsn(os.environ["REDIS_URL"])


@asynccontextmanager
async def producing() -> AsyncIterator[Producer]:
    pool = await create_pool(WorkerSettings.redis_settings)

    async def many(job: JobName, numbers: range) -> None:
        for number in numbers:
            await pool.enqueue_job(job, number)

    yield Producer(lambda number: pool.enqueue_job("no_op", number), many)
    await pool.aclose()
