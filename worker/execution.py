"""One attempt at a run: claim it, keep its lease while the job works, write down how it ended."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

from jobs.context import JobContext, to_its_end
from jobs.errors import LeaseLostError, StoppingError
from jobs.registry import BY_NAME
from models.clock import now
from models.run import Run, State, claim, is_held, receipt_totals, update_held
from worker.outcomes import Failed, Interrupted, Lost, Outcome, Retry, Succeeded
from worker.retries import judge

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from worker.resources import Resources

log = structlog.get_logger("headrace.worker")

LOOK_EVERY_SECONDS = 0.5  # how soon a cancelled run stops


def worker_name() -> str:
    """Name this process in the ledger."""
    return f"{socket.gethostname()}:{os.getpid()}"


@dataclass(frozen=True, slots=True)
class Executor:
    """Carries out runs with a process's resources."""

    resources: Resources
    worker: str = field(default_factory=worker_name)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the process shuts down: runs go back at their next batch."""

    async def execute(self, run_id: UUID) -> Outcome | None:
        """Make one attempt at a run; None if it is not ours to take: done, running elsewhere, not yet due."""
        async with self.resources.database.writing.begin() as session:
            run = await self.claim(session, run_id)
        return await self.perform(run) if run else None

    async def claim(self, session: AsyncSession, run_id: UUID) -> Run | None:
        """Take a run for this process."""
        return await claim(session, run_id, self.worker, self.resources.settings.lease_seconds)

    async def perform(self, run: Run) -> Outcome:
        """Make the attempt that was claimed, and write down how it ended."""
        with structlog.contextvars.bound_contextvars(
            run_id=str(run.id), job=run.job, attempt=run.attempt, worker=self.worker
        ):
            log.info("run.started")
            outcome = await self._attempt(run)
            await to_its_end(self._finish(run, outcome))
        return outcome

    async def _attempt(self, run: Run) -> Outcome:
        job = BY_NAME.get(run.job)
        if job is None:
            return Failed(f"unknown job {run.job!r}; known are {', '.join(BY_NAME)}")
        context = JobContext(
            run_id=run.id,
            attempt=run.attempt,
            database=self.resources.database,
            batch_size=self.resources.settings.batch_size,
            checkpoint=run.checkpoint,
            stopping=self.stopping,
        )
        try:
            request = job.request.model_validate(run.request)
            async with asyncio.timeout(job.timeout_seconds), self._lease_kept(run):
                result = await job.function(context, request)
        except LeaseLostError:
            return Lost()
        except (asyncio.CancelledError, StoppingError):
            return Interrupted()
        except Exception as error:
            log.debug("attempt.failed", exc_info=error)
            return judge(error, job, run.failures)
        return Succeeded(result, tuple(context.follow_ups))

    @asynccontextmanager
    async def _lease_kept(self, run: Run) -> AsyncIterator[None]:
        """Renew the lease beside the job; cancel the job as soon as the run is somebody else's."""
        task = asyncio.current_task()
        lost = False

        async def renew() -> None:
            nonlocal lost
            every = self.resources.settings.lease_seconds / 3
            renewed = time.monotonic()
            while not lost:
                await asyncio.sleep(min(every, LOOK_EVERY_SECONDS))
                due = time.monotonic() - renewed >= every
                renewed = time.monotonic() if due else renewed
                lost = not await self._still_ours(run, renew=due)
            if task is not None:
                task.cancel()

        renewal = asyncio.create_task(renew())
        try:
            yield
        except asyncio.CancelledError:
            if lost and task is not None:
                task.uncancel()
                raise LeaseLostError from None
            raise
        finally:
            renewal.cancel()
            await asyncio.gather(renewal, return_exceptions=True)

    async def _still_ours(self, run: Run, *, renew: bool) -> bool:
        """Renew the lease, or only look whether somebody cancelled the run or took it over."""
        until = now(self.resources.settings.lease_seconds)
        try:
            if renew:
                async with self.resources.database.writing.begin() as session:
                    return await update_held(session, run.id, run.attempt, {"lease_until": until})
            async with self.resources.database.reading() as session:
                return await is_held(session, run.id, run.attempt)
        except (OSError, SQLAlchemyError) as error:
            # The fence protects the data; the job finds out by itself whether the database is gone.
            log.warning("lease.not_renewed", error=type(error).__name__)
            return True

    async def _finish(self, run: Run, outcome: Outcome) -> None:
        if isinstance(outcome, Lost):
            log.warning("run.lost")
            return
        async with self.resources.database.writing.begin() as session:
            values = {"lease_until": None, **_ledger_values(outcome)}
            if not await update_held(session, run.id, run.attempt, values):
                log.warning("run.lost")
                return
            if isinstance(outcome, Succeeded):
                await self._follow_up(session, run, outcome)
            counts = await receipt_totals(session, run.id)
        _log_outcome(outcome, counts)

    async def _follow_up(self, session: AsyncSession, run: Run, outcome: Succeeded) -> None:
        for request in outcome.follow_ups:
            key = f"{request.job} after {run.id}"
            await self.resources.client.enqueue(request, session=session, unique_key=key, parent_id=run.id)


def _ledger_values(outcome: Succeeded | Failed | Retry | Interrupted) -> dict[str, Any]:
    match outcome:
        case Succeeded(result):
            return {"state": State.SUCCEEDED, "finished_at": now(), "result": result}
        case Failed(error):
            return {"state": State.FAILED, "finished_at": now(), "error": error}
        case Retry(error, delay):
            return {
                "state": State.QUEUED,
                "run_at": now(delay),
                "error": error,
                "failures": Run.failures + 1,
                "worker": None,
            }
        case Interrupted():
            return {"state": State.QUEUED, "run_at": now(), "worker": None}


def _log_outcome(outcome: Outcome, counts: dict[str, int]) -> None:
    match outcome:
        case Succeeded(result):
            log.info("run.succeeded", **(result or {}), **counts)
        case Failed(error):
            log.error("run.failed", error=error, **counts)
        case Retry(error, delay):
            log.warning("run.retried", error=error, delay_seconds=round(delay, 1), **counts)
        case Interrupted():
            log.info("run.interrupted", **counts)
