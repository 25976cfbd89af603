"""Headrace: the worker as `headrace worker` runs it, with two more jobs in its table."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, ClassVar

from bench.marks import mark
from bench.producer import PAUSE_SECONDS, Producer
from jobs import registry
from jobs.client import open_client
from jobs.registry import Job
from jobs.requests import Request
from models.database import open_database
from worker.schema import migrate
from worker.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bench.producer import JobName
    from jobs.context import JobContext


class NoOp(Request):
    """Asks for nothing."""

    job: ClassVar[str] = "no_op"
    number: int


class Pause(NoOp):
    """Asks for 50 ms of waiting."""

    job: ClassVar[str] = "pause"


REQUESTS = {"no_op": NoOp, "pause": Pause}


async def no_op(_context: JobContext, request: NoOp) -> None:
    mark(request.number, time.monotonic_ns())


async def pause(_context: JobContext, request: Pause) -> None:
    began = time.monotonic_ns()
    await asyncio.sleep(PAUSE_SECONDS)
    mark(request.number, began)


async def prepare() -> None:
    async with open_database(read_settings().database_url or "", application="bench") as database:
        await migrate(database.engine)


@asynccontextmanager
async def producing() -> AsyncIterator[Producer]:
    settings = read_settings()
    async with open_client(settings.database_url or "", settings.redis_url) as client:

        async def many(job: JobName, numbers: range) -> None:
            await client.enqueue_many([REQUESTS[job](number=number) for number in numbers])

        yield Producer(lambda number: client.enqueue(NoOp(number=number)), many)


def main() -> None:
    registry.JOBS += (Job(NoOp, no_op), Job(Pause, pause))
    registry.BY_NAME.update({job.name: job for job in registry.JOBS})
    from worker.cli.main import cli  # noqa: PLC0415 - the worker must see the longer table

    cli(["worker"])


if __name__ == "__main__":
    main()
