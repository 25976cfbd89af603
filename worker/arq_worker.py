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

from jobs.client import RUN_ARGUMENT, from_json, to_json
from jobs.registry import JOBS
from models.run import add_run
from worker.outcomes import Interrupted, Retry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from arq.cron import CronJob
    from arq.typing import WorkerCoroutine

    from worker.execution import Executor

log = structlog.get_logger("headrace.worker")

POLL_SECONDS = 0.2
# Tries and timeouts are kept by the ledger; arq's own must never end a job before it.
UNLIMITED_TRIES = 1_000_000_000
TIMEOUT_MARGIN_SECONDS = 600.0
DATABASE_AWAY_SECONDS = 2.0


class Worker(arq.Worker):
    """An arq worker whose messages carry run ids, and whose jobs are what the ledger says.

    A message may be delivered twice or lost: the claim in the database decides who runs what, and the
    dispatcher rings again for runs that Redis forgot. So arq's in-progress key can be short and renewed,
    and an end of a duplicate message does no harm.
    """

    def __init__(self, executor: Executor, *, burst: bool, cron: Sequence[CronJob], signals: bool) -> None:
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
            cron_jobs=cron,
            redis_pool=executor.resources.redis,
            burst=burst,
            handle_signals=signals,
            max_jobs=settings.concurrency,
            keep_result=0,
            poll_delay=POLL_SECONDS,
            health_check_interval=int(settings.lease_seconds),
            health_check_key=f"{settings.queue}:{executor.worker}{health_check_key_suffix}",
            job_serializer=to_json,
            job_deserializer=from_json,
            timezone=cast("Any", settings.zone),
        )
        self.in_progress_timeout_s = settings.lease_seconds
        self._renewed_at = 0.0

    async def start_jobs(self, job_ids: list[bytes]) -> None:
        """Start what is not running here already: after an outage our own keys may have expired."""
        await super().start_jobs([job_id for job_id in job_ids if job_id.decode() not in self.tasks])

    async def heart_beat(self) -> None:
        """Renew the in-progress keys of the running jobs, then do what arq does: health and cron."""
        if self.tasks and self.loop.time() - self._renewed_at > self.in_progress_timeout_s / 3:
            self._renewed_at = self.loop.time()
            async with self.pool.pipeline(transaction=False) as pipe:
                for job_id in self.tasks:
                    pipe.pexpire(in_progress_key_prefix + job_id, int(self.in_progress_timeout_s * 1_000))
                await pipe.execute()
        await super().heart_beat()

    def stop(self) -> None:
        """Stop taking messages and interrupt what runs, as a signal does."""
        for task in (*self.tasks.values(), self.main_task):
            if task is not None and not task.done():
                task.cancel()

    async def close(self) -> None:
        """Wait for the interrupted runs to be handed back; connections belong to the resources."""
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)
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
        except (OSError, SQLAlchemyError) as error:
            # The run is as the ledger last knew it; once the database is back, the message is good again.
            log.error("database.away", job=job, error=type(error).__name__)  # noqa: TRY400 - no traceback
            raise arq.Retry(defer=DATABASE_AWAY_SECONDS) from error
        if isinstance(outcome, Retry):
            raise arq.Retry(defer=outcome.delay_seconds)
        if isinstance(outcome, Interrupted):
            raise asyncio.CancelledError

    run.__qualname__ = job
    return run


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
