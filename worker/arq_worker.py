"""The arq worker: stock arq, with a short lease in Redis and our ledger behind every function."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast
from uuid import NAMESPACE_URL, UUID, uuid5

import arq
import structlog
from arq.constants import health_check_key_suffix, in_progress_key_prefix
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from jobs.client import RUN_ARGUMENT, bell_of, from_json, to_json
from jobs.registry import JOBS
from models.run import add_run, seconds_until_due
from worker.outcomes import Interrupted, Retry

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from arq.typing import WorkerCoroutine

    from worker.execution import Executor

log = structlog.get_logger("headrace.worker")

POLL_SECONDS = 0.5  # the bell wakes us earlier; plain arq rings none
LISTEN_SECONDS = 1
LONGEST_AWAY_SECONDS = 5.0
# Tries and timeouts are kept by the ledger; arq's own must never end a job before it.
UNLIMITED_TRIES = 1_000_000_000
TIMEOUT_MARGIN_SECONDS = 600.0
DATABASE_AWAY_SECONDS = 2.0
NOT_OURS_SECONDS = 1.0


class Worker(arq.Worker):
    """An arq worker whose messages carry run ids, and whose jobs are what the ledger says.

    A message may be delivered twice or lost: the claim in the database decides who runs what, and the
    dispatcher rings again for runs that Redis forgot. So arq's in-progress key can be short and renewed, an
    end of a duplicate message does no harm, and a Redis that goes away is waited for.
    """

    def __init__(self, executor: Executor, *, burst: bool = False) -> None:
        settings = executor.resources.settings
        super().__init__(
            [
                arq.func(
                    adapter(executor, job.name),
                    name=job.name,
                    timeout=job.timeout_seconds + TIMEOUT_MARGIN_SECONDS,
                    max_tries=UNLIMITED_TRIES,
                )
                for job in JOBS
            ],
            queue_name=settings.queue,
            redis_pool=executor.resources.redis,
            burst=burst,
            handle_signals=False,
            max_jobs=settings.concurrency,
            keep_result=0,
            poll_delay=POLL_SECONDS,
            health_check_interval=int(settings.lease_seconds),
            health_check_key=f"{settings.queue}:{executor.worker}{health_check_key_suffix}",
            job_serializer=to_json,
            job_deserializer=from_json,
        )
        self.in_progress_timeout_s = settings.lease_seconds
        self.shutdown_seconds = settings.shutdown_seconds
        self.stopping = executor.stopping
        self._renewed_at = 0.0
        self._away_rounds = 0
        self._work = asyncio.Event()
        self._listening: asyncio.Task[None] | None = None

    async def main(self) -> None:
        """Work until told to stop or, in a burst, until the queue is empty; then let the running end."""
        while not self.stopping.is_set():
            await self._round()
            if self.burst and not self._away_rounds and await self._is_drained():
                break
            await self._wait_for_work()
        await self._let_running_end()

    async def _round(self) -> None:
        """Do what arq does between two sleeps; say once that Redis is away, and once that it is back."""
        try:
            await self._poll_iteration()
        except (RedisError, OSError) as error:
            if not self._away_rounds:
                log.warning("redis.away", error=type(error).__name__)
            self._away_rounds += 1
            await asyncio.sleep(min(POLL_SECONDS * self._away_rounds, LONGEST_AWAY_SECONDS))
        else:
            if self._away_rounds:
                log.info("redis.back", rounds=self._away_rounds)
            self._away_rounds = 0

    async def _is_drained(self) -> bool:
        with suppress(RedisError, OSError):
            return not self.tasks and not await self.pool.zcard(self.queue_name)
        return False

    async def _wait_for_work(self) -> None:
        """Sleep until a bell rings, a slot gets free or the poll is due."""
        if self.job_counter < self.max_jobs and (self._listening is None or self._listening.done()):
            self._listening = asyncio.create_task(self._listen())
        with suppress(TimeoutError):
            async with asyncio.timeout(POLL_SECONDS):
                await self._work.wait()
        self._work.clear()

    async def _listen(self) -> None:
        with suppress(RedisError, OSError):
            bell = self.pool.blpop([bell_of(self.queue_name)], timeout=LISTEN_SECONDS)
            if await cast("Awaitable[Any]", bell):
                self._work.set()

    async def start_jobs(self, job_ids: list[bytes]) -> None:
        """Start what is not running here already: after an outage our own keys may have expired."""
        before = set(self.tasks)
        await super().start_jobs([job_id for job_id in job_ids if job_id.decode() not in before])
        for job_id in self.tasks.keys() - before:
            self.tasks[job_id].add_done_callback(lambda _: self._work.set())

    async def heart_beat(self) -> None:
        """Renew the in-progress keys of the running jobs, then do what arq does: its health key."""
        if self.tasks and self.loop.time() - self._renewed_at > self.in_progress_timeout_s / 3:
            self._renewed_at = self.loop.time()
            async with self.pool.pipeline(transaction=False) as pipe:
                for job_id in self.tasks:
                    pipe.pexpire(in_progress_key_prefix + job_id, int(self.in_progress_timeout_s * 1_000))
                await pipe.execute()
        await super().heart_beat()

    def stop(self) -> None:
        """Take no more messages and let the runs go back at their next batch; asked twice, at once."""
        if self.stopping.is_set():
            self._interrupt()
        self.stopping.set()
        self._work.set()

    def _interrupt(self) -> None:
        for task in self.tasks.values():
            task.cancel()

    async def _let_running_end(self) -> None:
        """Wait for the running jobs up to the bound, then interrupt them; they write down where they are."""
        if self.tasks:
            _, late = await asyncio.wait(self.tasks.values(), timeout=self.shutdown_seconds)
            if late:
                log.warning("worker.interrupts", runs=len(late))
            self._interrupt()
            await asyncio.wait(self.tasks.values(), timeout=self.shutdown_seconds)

    async def close(self) -> None:
        """Leave Redis as if we had not been there; connections belong to the resources."""
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
        with suppress(RedisError, OSError):
            await self.pool.delete(self.health_check_key)


def adapter(executor: Executor, job: str) -> WorkerCoroutine:
    """Make arq's function for a job: find the run that a message means, execute it, tell arq what follows."""

    async def run(ctx: dict[Any, Any], *args: Any, **fields: Any) -> None:
        try:
            run_id = fields.get(RUN_ARGUMENT)
            if run_id is None:
                fields |= {"positional": list(args)} if args else {}
                run_id = await adopt(executor, job, ctx["job_id"], fields)
            outcome = await executor.execute(UUID(str(run_id)))
            due = None if outcome else await seconds_until_due_in(executor, UUID(str(run_id)))
        except (OSError, SQLAlchemyError) as error:
            # The run is as the ledger last knew it; once the database is back, the message is good again.
            log.error("database.away", job=job, error=type(error).__name__)  # noqa: TRY400 - no traceback
            raise arq.Retry(defer=DATABASE_AWAY_SECONDS) from error
        if due is not None:
            # Running elsewhere or not due: whether that worker ends it or dies, the message is not lost.
            raise arq.Retry(defer=min(due, executor.resources.settings.lease_seconds) + NOT_OURS_SECONDS)
        if isinstance(outcome, Retry):
            raise arq.Retry(defer=outcome.delay_seconds)
        if isinstance(outcome, Interrupted):
            raise asyncio.CancelledError

    run.__qualname__ = job
    return run


async def seconds_until_due_in(executor: Executor, run_id: UUID) -> float | None:
    """Look up in the ledger when a run may be taken."""
    async with executor.resources.database.reading() as session:
        return await seconds_until_due(session, run_id)


async def adopt(executor: Executor, job: str, job_id: str, fields: dict[str, Any]) -> UUID:
    """Write the run of a plain arq message, once however often the message is delivered."""
    try:
        run_id = UUID(job_id)
    except ValueError:
        run_id = uuid5(NAMESPACE_URL, f"arq:{job_id}")
    async with executor.resources.database.writing.begin() as session:
        await add_run(session, {"id": run_id, "job": job, "request": fields})
    log.info("run.adopted", run_id=str(run_id), job=job)
    return run_id
