"""The composition root of a worker: resources, executor, scheduler, dispatcher and the loop."""

from __future__ import annotations

import asyncio
import signal
from contextlib import asynccontextmanager, nullcontext, suppress
from functools import partial
from typing import TYPE_CHECKING

import structlog

from worker.dispatcher import AWAY, dispatch, keep_dispatching
from worker.execution import Executor
from worker.fetching import sweep
from worker.lifeline import on_the_line
from worker.loop import Loop
from worker.rounds import beside
from worker.scheduler import scheduling
from worker.termination import is_terminated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from worker.resources import Resources

log = structlog.get_logger("headrace.worker")


async def run_worker(resources: Resources, *, burst: bool, line: int | None = None) -> None:
    """Work until SIGTERM or SIGINT, or, in a burst, until no run is left.

    `line` is the descriptor by which a process that watches over this one tells it to stop.
    """
    executor = Executor(resources)
    loop = Loop(executor, burst=burst)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, loop.stop)
    if is_terminated():
        loop.stop()
    await sweep(resources)
    async with _dispatching(resources), nullcontext() if burst else scheduling(resources):
        settings = resources.settings
        log.info("worker.started", burst=burst, queue=settings.queue, slots=settings.slots)
        try:
            with on_the_line(line, executor.stopping, loop.stop) if line is not None else nullcontext():
                await loop.main()
        finally:
            await loop.close()
            log.info("worker.stopped", complete=loop.complete)


@asynccontextmanager
async def working(resources: Resources) -> AsyncIterator[None]:
    """Keep a worker inside this process for as long as the block lasts; the schedule stays out of it."""
    loop = Loop(Executor(resources))
    async with _dispatching(resources):
        ours = asyncio.current_task()
        task = asyncio.create_task(loop.main())
        # Who waits for runs must not wait for a worker that is gone.
        task.add_done_callback(lambda ended: ended.exception() and ours and ours.cancel())
        try:
            yield
        finally:
            loop.stop()
            await asyncio.wait([task])
            await loop.close()
            task.result()


@asynccontextmanager
async def _dispatching(resources: Resources) -> AsyncIterator[None]:
    with suppress(*AWAY):  # the next round is a second away
        await dispatch(resources)  # before a burst looks into Redis, what it forgot must be there
    async with beside(partial(keep_dispatching, resources)):
        yield
