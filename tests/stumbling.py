"""A job that is cut off again and again, in the middle of a batch, and taken up by another attempt."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import update

from jobs.context import JobContext
from jobs.registry import BY_NAME
from models import Run, State
from models.claim import claim
from worker.main import run_worker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

    from jobs.context import Batch
    from jobs.requests import Request
    from worker.resources import Resources

MOST_ATTEMPTS = 500


class StumbledError(Exception):
    """The process is gone."""


class StumblingContext(JobContext):
    """An attempt that can commit so many batches, and falls when it has written the next."""

    left: int = 0

    @asynccontextmanager
    async def batch(self) -> AsyncIterator[Batch]:
        async with super().batch() as batch:
            yield batch
            if not self.left:
                raise StumbledError
            self.left -= 1


async def stumble_through(resources: Resources, request: Request) -> int:
    """Carry out a job in attempts that each fall at the first batch after one that made progress.

    Whatever follows is done in peace. Count the attempts.
    """
    run_id = await resources.client.enqueue(request)
    batches, reached = 1, None
    for attempt in range(MOST_ATTEMPTS):
        context = await _taken(resources, run_id)
        batches = batches + 1 if context.checkpoint == reached else 1
        context.left, reached = batches, context.checkpoint
        try:
            result = await BY_NAME[request.job].function(context, request)
        except StumbledError:
            continue
        await _end(resources, context, result)
        await run_worker(resources, burst=True)
        return attempt + 1
    raise AssertionError("it makes no progress")


async def _taken(resources: Resources, run_id: UUID) -> StumblingContext:
    async with resources.database.writing.begin() as session:
        await session.execute(update(Run).where(Run.id == run_id).values(state=State.QUEUED))
        [run] = await claim(session, [run_id], "stumbling", 60)
    return StumblingContext(
        run_id=run.id,
        attempt=run.attempt,
        database=resources.database,
        batch_size=resources.settings.batch_size,
        checkpoint=run.checkpoint,
    )


async def _end(resources: Resources, context: StumblingContext, result: Any) -> None:
    async with resources.database.writing.begin() as session:
        await session.execute(
            update(Run).where(Run.id == context.run_id).values(state=State.SUCCEEDED, result=result)
        )
        for follow_up in context.follow_ups:
            await resources.client.enqueue(follow_up, session=session)
