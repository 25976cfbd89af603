"""One attempt at a run: claim it, keep its lease while the job works, write down how it ended."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import structlog

from jobs.context import JobContext
from jobs.errors import LeaseLostError, StoppingError
from jobs.registry import BY_NAME
from jobs.tracing import attempt_span, end_as
from models.claim import claim, claim_free, update_held
from models.clock import now
from models.database import to_its_end
from models.run import transaction_name
from worker.fetching import fetcher_of, sweep
from worker.finishing import Finisher
from worker.leases import Leases
from worker.outcomes import CutOff, Failed, Interrupted, Lost, Retry, Succeeded
from worker.retries import FROM_LATER, judge

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from jobs.fetching.fetcher import Fetcher
    from models.claim import Claim
    from worker.outcomes import Outcome
    from worker.resources import Resources

log = structlog.get_logger("headrace.worker")


def worker_name() -> str:
    """Name this process in the ledger."""
    return f"{socket.gethostname()}:{os.getpid()}"


@dataclass(slots=True)
class Executor:
    """Carries out runs with a process's resources."""

    resources: Resources
    worker: str = field(default_factory=worker_name)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the process shuts down: runs go back at their next batch."""
    _leases: Leases = field(init=False)
    _finisher: Finisher = field(init=False)
    _fetcher: Fetcher = field(init=False)

    def __post_init__(self) -> None:
        self._leases = Leases(self.resources.database, self.resources.settings.lease_seconds)
        self._finisher = Finisher(self.resources)
        self._fetcher = fetcher_of(self.resources.settings)

    async def execute(self, run_id: UUID) -> Outcome | None:
        """Make one attempt at a run; None if it is not ours to take: done, running elsewhere, not yet due."""
        async with self.resources.database.writing.begin() as session:
            runs = await self.claim(session, [run_id])
        return await self.perform(runs[0]) if runs else None

    async def claim(self, session: AsyncSession, run_ids: Collection[UUID]) -> list[Claim]:
        """Take runs for this process: those of them that are queued, due and within their limits."""
        return await claim(session, run_ids, self.worker, self.resources.settings.lease_seconds)

    async def claim_free(self, run_ids: Collection[UUID]) -> list[Claim]:
        """Take those of the runs that no limit concerns, with a single statement."""
        async with self.resources.database.statement() as connection:
            lease_seconds = self.resources.settings.lease_seconds
            return await claim_free(connection, run_ids, self.worker, lease_seconds)

    async def perform(self, run: Claim, *, worked: Callable[[], None] = lambda: None) -> Outcome:
        """Make the attempt that was claimed, and write down how it ended; in between, call `worked`."""
        with (
            structlog.contextvars.bound_contextvars(
                run_id=str(run.id), job=run.job, attempt=run.attempt, worker=self.worker
            ),
            attempt_span(run.job, run.traceparent, _span_attributes(run)) as span,
        ):
            outcome = await self._timed(run, worked)
            end_as(span, type(outcome).__name__.lower(), failed=isinstance(outcome, Failed | Retry | CutOff))
        return outcome

    async def _timed(self, run: Claim, worked: Callable[[], None]) -> Outcome:
        """Make the attempt; its first event says how long the run waited, its last how long it took."""
        log.info("run.started", **_waited(run))
        began = time.monotonic()
        context = self._context_of(run)
        try:
            outcome = await self._attempt(run, context)
        finally:
            worked()
        has_receipts = context.counted or run.attempt > 1
        with structlog.contextvars.bound_contextvars(seconds=round(time.monotonic() - began, 3)):
            ended = await to_its_end(self._finish(run, outcome, has_receipts=has_receipts))
        if context.spooled:
            await sweep(self.resources)
        return ended

    async def _attempt(self, run: Claim, context: JobContext) -> Outcome:
        job = BY_NAME.get(run.job)
        if job is None:
            return Failed(f"unknown job {run.job!r}; known are {', '.join(BY_NAME)}; {FROM_LATER}")
        timer = asyncio.timeout(job.timeout_seconds)
        try:
            request = job.request.model_validate(run.request)
            async with timer, self._leases.kept(run):
                result = await job.function(context, request)
        except LeaseLostError:
            return Lost()
        except (asyncio.CancelledError, StoppingError):
            return Interrupted()
        except Exception as error:
            log.debug("attempt.failed", exc_info=error)
            if isinstance(error, TimeoutError) and not timer.expired():
                return CutOff("the database did not answer in time")
            outcome = judge(error, job, run.failures)
            return replace(outcome, error=context.shown(outcome.error))
        stages = tuple(map(tuple, context.stages))
        return Succeeded(result, tuple(context.follow_ups), stages, context.after_parts)

    def _context_of(self, run: Claim) -> JobContext:
        return JobContext(
            run_id=run.id,
            attempt=run.attempt,
            database=self.resources.database,
            batch_size=self.resources.settings.batch_size,
            vanish_percent=self.resources.settings.vanish_percent,
            lease_seconds=self.resources.settings.lease_seconds,
            checkpoint=run.checkpoint,
            whole_id=run.parent_id if run.part is not None else None,
            stopping=self.stopping,
            application=transaction_name(run.job, run.id),
            fetcher=self._fetcher,
        )

    async def _finish(self, run: Claim, outcome: Outcome, *, has_receipts: bool) -> Outcome:
        if isinstance(outcome, CutOff):
            return await self._let_go(run, outcome)
        totals = None
        if not isinstance(outcome, Lost):
            totals = await self._finisher.finish(run, outcome, has_receipts=has_receipts)
        if totals is None:
            log.warning("run.lost")
            return Lost()
        _log_outcome(outcome, totals)
        return outcome

    async def _let_go(self, run: Claim, outcome: CutOff) -> Outcome:
        """Let the lease end now: taking back counts how often that happens without progress, and parks."""
        values = {"lease_until": now(), "error": outcome.error}
        async with self.resources.database.writing.begin() as session:
            held = await update_held(session, run.id, run.attempt, values)
        if not held:
            log.warning("run.lost")
            return Lost()
        log.warning("run.cut_off", error=outcome.error)
        return outcome


def _waited(run: Claim) -> dict[str, float]:
    """Say how long a run was due before its first attempt, by the database's clock."""
    if run.attempt != 1:
        return {}
    return {"waited_seconds": round(max((run.started_at - run.run_at).total_seconds(), 0.0), 3)}


def _span_attributes(run: Claim) -> dict[str, str | int]:
    return {"headrace.run_id": str(run.id), "headrace.attempt": run.attempt}


def _brief(result: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is no plain value: a report is for whoever asked."""
    return {name: value for name, value in result.items() if not isinstance(value, dict | list)}


def _log_outcome(outcome: Outcome, counts: dict[str, int]) -> None:
    match outcome:
        case Succeeded(result):
            log.info("run.succeeded", **_brief(result or {}), **counts)
        case Failed(error):
            log.error("run.failed", error=error, **counts)
        case Retry(error, delay):
            log.warning("run.retried", error=error, delay_seconds=round(delay, 1), **counts)
        case Interrupted():
            log.info("run.interrupted", **counts)
