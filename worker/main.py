"""The composition root of a worker: resources, executor, scheduler, dispatcher and the arq worker."""

from __future__ import annotations

import asyncio
import signal
from contextlib import asynccontextmanager, nullcontext
from typing import TYPE_CHECKING

import structlog

from worker.arq_worker import Worker
from worker.dispatcher import dispatch, keep_dispatching
from worker.execution import Executor
from worker.scheduler import scheduling

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from worker.resources import Resources

log = structlog.get_logger("headrace.worker")


async def run_worker(resources: Resources, *, burst: bool) -> None:
    """Work until SIGTERM or SIGINT, or, in a burst, until no run is queued."""
    worker = Worker(Executor(resources), burst=burst)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, worker.stop)
    async with _dispatching(resources), nullcontext() if burst else scheduling(resources):
        log.info("worker.started", burst=burst, concurrency=worker.max_jobs, queue=worker.queue_name)
        try:
            await worker.main()
        finally:
            await worker.close()
            log.info("worker.stopped", complete=worker.jobs_complete)


@asynccontextmanager
async def working(resources: Resources) -> AsyncIterator[None]:
    """Keep a worker inside this process for as long as the block lasts; the schedule stays out of it."""
    worker = Worker(Executor(resources))
    async with _dispatching(resources):
        ours = asyncio.current_task()
        task = asyncio.create_task(worker.main())
        # Who waits for runs must not wait for a worker that is gone.
        task.add_done_callback(lambda ended: ended.exception() and ours and ours.cancel())
        try:
            yield
        finally:
            worker.stop()
            await asyncio.wait([task])
            await worker.close()
            task.result()


@asynccontextmanager
async def _dispatching(resources: Resources) -> AsyncIterator[None]:
    await dispatch(resources)  # before a burst looks into Redis, what it forgot must be there
    task = asyncio.create_task(keep_dispatching(resources))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
