"""Which ticks of the minutely entry of the schedule there must be after a soak."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from models import Run
from models.tick import ticks

if TYPE_CHECKING:
    from worker.resources import Resources

ENTRY = "refresh-stats"
MINUTE = timedelta(minutes=1)
AFTER_START, BEFORE_END = timedelta(seconds=10), timedelta(seconds=10)


def due(begin: datetime, end: datetime) -> set[datetime]:
    """List the full minutes of a soak: some of its workers live at any time, and no service is away for long.

    Those just after the begin are left out, when the first worker may not have come up, and those just
    before the end, when a tick may be on its way.
    """
    minute, found = (begin + AFTER_START).replace(second=0, microsecond=0) + MINUTE, set()
    while minute < end - BEFORE_END:
        found.add(minute)
        minute += MINUTE
    return found


async def taken(resources: Resources) -> set[datetime]:
    """List the ticks that were taken; the primary key keeps each from being there twice."""
    query = select(ticks.c.tick).where(ticks.c.schedule == ENTRY)
    async with resources.database.reading() as session:
        return set(await session.scalars(query))


async def runs_too_many(resources: Resources) -> int:
    """Count the scheduled runs that no tick stands for: a tick that was worked off twice."""
    ticked = select(ticks.c.run_id).where(ticks.c.run_id.is_not(None))
    query = select(func.count()).select_from(Run).where(Run.parent_id.is_(None), Run.id.not_in(ticked))
    async with resources.database.reading() as session:
        return (await session.scalar(query.where(Run.job == "refresh_author_stats"))) or 0
