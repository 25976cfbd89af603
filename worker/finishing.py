"""Writing down what attempts came to: those that end at the same time in one transaction."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from contextvars import Context
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from jobs.bell import Bell, ring
from jobs.tracing import in_trace, traceparent
from models.due import due_within_limits
from models.family import count_part, open_parts
from models.finish import Ending, finish
from models.receipt import receipt_totals
from models.run import State
from worker.outcomes import Failed, Interrupted, Retry, Succeeded
from worker.stages import Stages

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from models.claim import Claim
    from worker.resources import Resources

    Ended = Succeeded | Failed | Retry | Interrupted

MOST_AT_ONCE = 100


@dataclass(slots=True)
class _Attempt:
    """An attempt that has ended; `written` gets the totals of the run's receipts, or None if it was lost."""

    run: Claim
    outcome: Ended
    has_receipts: bool
    trace: str | None = field(default_factory=traceparent)
    written: asyncio.Future[Counter[str] | None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class Finisher:
    """Writes outcomes in the order they come; while one transaction is on its way the next ones gather."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._waiting: list[_Attempt] = []
        self._writing: asyncio.Task[None] | None = None

    async def finish(self, run: Claim, outcome: Ended, *, has_receipts: bool) -> Counter[str] | None:
        """Write down how an attempt ended and what follows; None if the run was lost meanwhile.

        Return the totals of the run's receipts.
        """
        attempt = _Attempt(run, outcome, has_receipts)
        self._waiting.append(attempt)
        if self._writing is None or self._writing.done():
            # It works for all runs, and must not go by the name or the trace of the one that began it.
            self._writing = asyncio.create_task(self._write(), context=Context())
        return await attempt.written

    async def _write(self) -> None:
        while self._waiting:
            together, self._waiting = self._waiting[:MOST_AT_ONCE], self._waiting[MOST_AT_ONCE:]
            held = await self._commit_or_tell(together)
            if any(isinstance(a.outcome, Interrupted) or a.run.limit_key for a in held):
                self._resources.client.ring_beside(self._ring(held))

    async def _commit_or_tell(self, together: Sequence[_Attempt]) -> list[_Attempt]:
        """Commit them together or, so that one that cannot be written spoils no other, each alone."""
        try:
            return await self._commit(together)
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody may wait for it for ever
            if len(together) == 1:
                together[0].written.set_exception(error)
                return []
        return [held for attempt in together for held in await self._commit_or_tell([attempt])]

    async def _commit(self, together: Sequence[_Attempt]) -> list[_Attempt]:
        async with self._resources.database.writing.begin() as session:
            ours = await finish(session, [_ending(attempt.run, attempt.outcome) for attempt in together])
            held = [attempt for attempt in together if (attempt.run.id, attempt.run.attempt) in ours]
            for attempt in held:
                if isinstance(attempt.outcome, Succeeded):
                    with in_trace(attempt.trace):
                        await self._go_on(session, attempt.run, attempt.outcome)
            counted = [attempt.run.id for attempt in held if attempt.has_receipts]
            totals = await receipt_totals(session, counted) if counted else {}
        for attempt in together:
            attempt.written.set_result(totals.get(attempt.run.id, Counter()) if attempt in held else None)
        return held

    async def _go_on(self, session: AsyncSession, run: Claim, outcome: Succeeded) -> None:
        """Ask for what follows a success, in the transaction that makes it one."""
        client = self._resources.client
        for request in outcome.follow_ups:
            key = f"{request.job} after {run.id}"
            await client.enqueue(request, session=session, unique_key=key, parent_id=run.id)
        if outcome.stages:
            await self._open_stage(session, run.id, Stages(0, outcome.stages, outcome.after_parts))
        if run.part is not None and run.parent_id and (left := await count_part(session, run.parent_id)):
            await self._follow_stage(session, run.parent_id, Stages.read(left))

    async def _open_stage(self, session: AsyncSession, parent_id: UUID, stages: Stages) -> None:
        parts = stages.rows(parent_id)
        await self._resources.client.add(parts, session=session)
        await open_parts(session, parent_id, len(parts), stages.rest().document())

    async def _follow_stage(self, session: AsyncSession, parent_id: UUID, left: Stages) -> None:
        """Start what comes after the last part of a stage: the next stage, or what follows them all."""
        if left.stages:
            await self._open_stage(session, parent_id, left)
        elif left.then:
            key = f"{left.then.job} after the parts of {parent_id}"
            await self._resources.client.enqueue(
                left.then, session=session, unique_key=key, parent_id=parent_id
            )

    async def _ring(self, ended: Sequence[_Attempt]) -> None:
        """Ring for runs that go back at once, and for those that waited for a place these have left."""
        redis = self._resources.redis
        if redis is None:
            return
        bells = [Bell(e.run.id, e.run.queue) for e in ended if isinstance(e.outcome, Interrupted)]
        if keys := {attempt.run.limit_key for attempt in ended if attempt.run.limit_key}:
            with suppress(OSError, SQLAlchemyError):  # the dispatcher will ring
                async with self._resources.database.reading() as session:
                    bells += [Bell(*row) for row in await due_within_limits(session, keys, MOST_AT_ONCE)]
        if bells:
            await ring(redis, self._resources.settings.queue, bells)


def _ending(run: Claim, outcome: Ended) -> Ending:
    match outcome:
        case Succeeded(result):
            return Ending(run.id, run.attempt, State.SUCCEEDED, result=result)
        case Failed(error):
            return Ending(run.id, run.attempt, State.FAILED, error=error)
        case Retry(error, delay):
            return Ending(run.id, run.attempt, State.QUEUED, error=error, delay_seconds=delay, failed=True)
        case Interrupted():
            return Ending(run.id, run.attempt, State.QUEUED)
