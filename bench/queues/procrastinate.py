"""Procrastinate as its documentation begins: a PsycopgConnector and `procrastinate worker`."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from procrastinate import App, PsycopgConnector

from bench.marks import mark
from bench.producer import PAUSE_SECONDS, Producer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bench.producer import JobName

app = App(connector=PsycopgConnector(conninfo=os.environ["DATABASE_URL"]))


@app.task(name="no_op")
async def no_op(number: int) -> None:
    mark(number, time.monotonic_ns())


@app.task(name="pause")
async def pause(number: int) -> None:
    began = time.monotonic_ns()
    await asyncio.sleep(PAUSE_SECONDS)
    mark(number, began)


async def prepare() -> None:
    async with app.open_async():
        await app.schema_manager.apply_schema_async()


@asynccontextmanager
async def producing() -> AsyncIterator[Producer]:
    async def many(job: JobName, numbers: range) -> None:
        await app.tasks[job].batch_defer_async(*({"number": number} for number in numbers))

    async with app.open_async():
        yield Producer(lambda number: no_op.defer_async(number=number), many)
