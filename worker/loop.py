"""The loop of a worker process: its queues in turn, woken by bells, until it is told to stop."""

from __future__ import annotations

import asyncio
import gc
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

import structlog
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from jobs.bell import bell_of
from models.due import is_drained
from worker.arq_worker import POLL_SECONDS, Worker

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from worker.execution import Executor

log = structlog.get_logger("headrace.worker")

LISTEN_SECONDS = 1
# A database that takes rows faster than the loop sends them would wait for the thread that reads ahead.
HAND_OVER_SECONDS = 0.0005
LONGEST_AWAY_SECONDS = 5.0


class Loop:
    """Runs one arq worker for each queue that this process serves."""

    def __init__(self, executor: Executor, *, burst: bool = False) -> None:
        settings = executor.resources.settings
        self._resources = executor.resources
        self._stopping = executor.stopping
        self._burst = burst
        self.workers = [
            Worker(executor, queue=queue, concurrency=concurrency, ended=self._run_ended)
            for queue, concurrency in settings.slots.items()
            if concurrency
        ]
        self._work = asyncio.Event()  # something to look for in Redis
        self._room = asyncio.Event()  # a run has ended
        self._away_rounds = 0

    async def main(self) -> None:
        """Work until told to stop or, in a burst, until no run is left; then let the running end."""
        sys.setswitchinterval(HAND_OVER_SECONDS)
        gc.freeze()  # what was imported stays; no collection has to look through it
        over = asyncio.Event()
        listening = asyncio.create_task(self._listen(over))
        try:
            while not self._stopping.is_set():
                self._work.clear()
                await self._round()
                if self._burst and not self._away_rounds and await self._is_drained():
                    break
                await self._wait_for_work()
        finally:
            over.set()  # the Redis client may take a cancellation for a timeout of its own
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
        await self._let_running_end()

    async def _round(self) -> None:
        """Poll each queue; say once that Redis is away, and once that it is back."""
        due = [worker for worker in self.workers if worker.is_due]
        try:
            for worker in due:
                await worker.poll()
        except (RedisError, OSError) as error:
            if not self._away_rounds:
                log.warning("redis.away", error=type(error).__name__)
            self._away_rounds += 1
        else:
            if due and self._away_rounds:
                log.info("redis.back", rounds=self._away_rounds)
                self._away_rounds = 0

    async def _wait_for_work(self) -> None:
        """Sleep until a bell rings, a run ends or the poll is due; longer while Redis is away."""
        seconds = min(POLL_SECONDS * (1 + self._away_rounds), LONGEST_AWAY_SECONDS)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._work.wait()

    async def _listen(self, over: asyncio.Event) -> None:
        """Wait at the bells of the queues that have room; a bell that we cannot answer is for others."""
        while not over.is_set():
            self._room.clear()
            bells = {bell_of(worker.queue_name): worker for worker in self.workers if worker.has_room}
            if not bells:
                await self._room.wait()
                continue
            try:
                waiting = self.workers[0].pool.blpop([*bells], timeout=LISTEN_SECONDS)
                if bell := await cast("Awaitable[Any]", waiting):
                    bells[bell[0].decode()].ring(bell[1])
                    self._work.set()
            except (RedisError, OSError):
                await asyncio.sleep(POLL_SECONDS)

    def _run_ended(self) -> None:
        self._work.set()
        self._room.set()

    async def _is_drained(self) -> bool:
        if any(worker.tasks for worker in self.workers):
            return False
        queues = [worker.queue for worker in self.workers]
        with suppress(RedisError, SQLAlchemyError, OSError):
            waiting = [await worker.pool.zcard(worker.queue_name) for worker in self.workers]
            async with self._resources.database.reading() as session:
                return not any(waiting) and await is_drained(session, queues)
        return False

    def stop(self) -> None:
        """Take no more runs and let those here go back at their next batch; asked twice, at once."""
        if self._stopping.is_set():
            self._interrupt()
        self._stopping.set()
        self._work.set()

    def _interrupt(self) -> None:
        for worker in self.workers:
            worker.interrupt()

    async def _let_running_end(self) -> None:
        """Wait for the running jobs up to the bound, then interrupt them."""
        tasks = [task for worker in self.workers for task in worker.tasks.values()]
        if not tasks:
            return
        seconds = self._resources.settings.shutdown_seconds
        _, late = await asyncio.wait(tasks, timeout=seconds)
        if late:
            log.warning("worker.interrupts", runs=len(late))
            self._interrupt()
            await asyncio.wait(tasks, timeout=seconds)

    async def close(self) -> None:
        """Leave Redis as if we had not been there."""
        for worker in self.workers:
            with suppress(RedisError, OSError):
                await worker.close()

    @property
    def complete(self) -> int:
        """How many attempts have ended."""
        return sum(worker.jobs_complete for worker in self.workers)
