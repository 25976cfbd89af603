"""How much work waits, by job: what an operator watches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, case, func, select

from models.clock import now
from models.run import Run, State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncSession


@dataclass(frozen=True, slots=True)
class Depth:
    """The runs of one job: due and waiting for a worker, queued for later, running, failed and kept.

    `oldest_seconds` is how long the run that is due the longest has been due; 0 if none is.
    """

    job: str
    due: int = 0
    later: int = 0
    running: int = 0
    failed: int = 0
    oldest_seconds: float = 0.0


async def queue_depth(session: AsyncSession) -> Sequence[Depth]:
    """Count the runs that are queued, running or failed, by job."""
    queued, due = Run.state == State.QUEUED, Run.run_at <= now()
    query = (
        select(
            Run.job,
            _count(queued & due),
            _count(queued & ~due),
            _count(Run.state == State.RUNNING),
            _count(Run.state == State.FAILED),
            now(),
            func.min(case((queued & due, Run.run_at))),
        )
        .where(Run.state.in_((State.QUEUED, State.RUNNING, State.FAILED)))
        .group_by(Run.job)
    )
    return [
        Depth(job, due, later, running, failed, (moment - oldest).total_seconds() if oldest else 0.0)
        for job, due, later, running, failed, moment, oldest in await session.execute(query)
    ]


def _count(which: ColumnElement[bool]) -> ColumnElement[int]:
    return func.count(case((which, 1)))
