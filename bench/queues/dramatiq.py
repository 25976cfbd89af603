"""Dramatiq as its documentation begins: a Redis broker, plain functions and the `dramatiq` command."""

from __future__ import annotations

import os
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from bench.marks import mark
from bench.producer import PAUSE_SECONDS, Producer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bench.producer import JobName

dramatiq.set_broker(RedisBroker(url=os.environ["REDIS_URL"]))


@dramatiq.actor
def no_op(number: int) -> None:
    mark(number, time.monotonic_ns())


@dramatiq.actor
def pause(number: int) -> None:
    began = time.monotonic_ns()
    time.sleep(PAUSE_SECONDS)
    mark(number, began)


@asynccontextmanager
async def producing() -> AsyncIterator[Producer]:
    async def one(number: int) -> None:
        no_op.send(number)

    async def many(job: JobName, numbers: range) -> None:
        actor = {"no_op": no_op, "pause": pause}[job]
        for number in numbers:
            actor.send(number)

    yield Producer(one, many)
