"""Celery as its documentation begins: an app with a broker, plain functions and `celery worker`."""

from __future__ import annotations

import os
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from celery import Celery

from bench.marks import mark
from bench.producer import PAUSE_SECONDS, Producer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bench.producer import JobName

# Celery's name for a Redis that is reached by a socket.
app = Celery("bench", broker=os.environ["REDIS_URL"].replace("unix://", "redis+socket://"))


@app.task
def no_op(number: int) -> None:
    mark(number, time.monotonic_ns())


@app.task
def pause(number: int) -> None:
    began = time.monotonic_ns()
    time.sleep(PAUSE_SECONDS)
    mark(number, began)


@asynccontextmanager
async def producing() -> AsyncIterator[Producer]:
    async def one(number: int) -> None:
        no_op.delay(number)

    async def many(job: JobName, numbers: range) -> None:
        task = {"no_op": no_op, "pause": pause}[job]
        for number in numbers:
            task.delay(number)

    yield Producer(one, many)
