"""The composition root of a worker: resources, executor, schedule, dispatcher and the arq worker."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import structlog

from worker.arq_worker import Worker
from worker.dispatcher import dispatch, keep_dispatching
from worker.execution import Executor
from worker.schedule import cron_jobs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from worker.resources import Resources

log = structlog.get_logger("headrace.worker")


async def run_worker(resources: Resources, *, burst: bool) -> None:
    """Work until SIGTERM or SIGINT, or, in a burst, until no run is queued."""
    worker = Worker(
        Executor(resources), burst=burst, cron=() if burst else cron_jobs(resources), signals=True
    )
    async with _dispatching(resources):
        log.info("worker.started", burst=burst, concurrency=worker.max_jobs, queue=worker.queue_name)
        try:
            with suppress(asyncio.CancelledError):  # a signal cancels the worker's loop, not us
                await worker.async_run()
        finally:
            await worker.close()
            log.info("worker.stopped", complete=worker.jobs_complete)


@asynccontextmanager
async def working(resources: Resources) -> AsyncIterator[None]:
    """Keep a worker inside this process for as long as the block lasts; the schedule stays out of it."""
    worker = Worker(Executor(resources), burst=False, cron=(), signals=False)
    async with _dispatching(resources):
        task = asyncio.create_task(worker.async_run())
        try:
            yield
        finally:
            worker.stop()
            await asyncio.gather(task, return_exceptions=True)
            await worker.close()


@asynccontextmanager
async def _dispatching(resources: Resources) -> AsyncIterator[None]:
    await dispatch(resources)  # before a burst looks into Redis, what it forgot must be there
    task = asyncio.create_task(keep_dispatching(resources))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
