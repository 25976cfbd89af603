"""How fast imports of this database were, as its ledger knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import func, select

from models.receipt import Receipt
from models.run import Run, State

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy.ext.asyncio import AsyncSession


class Pace(NamedTuple):
    """What some runs did together."""

    runs: int
    records: int
    seconds: float


async def pace_of(session: AsyncSession, jobs: Collection[str], runs: int) -> Pace:
    """Add up the newest successful runs of some jobs: the records they read, and how long they took."""
    read = func.sum(Receipt.records_read)
    query = (
        select(Run.started_at, Run.finished_at, read)
        .join(Receipt, Receipt.run_id == Run.id)
        .where(Run.job.in_(jobs), Run.state == State.SUCCEEDED, Run.started_at.is_not(None))
        .group_by(Run.id, Run.started_at, Run.finished_at)
        .having(read > 0)
        .order_by(Run.finished_at.desc())
        .limit(runs)
    )
    found = (await session.execute(query)).all()
    times = ((finished, started) for started, finished, _ in found if started and finished)
    seconds = sum(((finished - started).total_seconds() for finished, started in times), 0.0)
    return Pace(len(found), sum(int(records) for *_, records in found), seconds)
