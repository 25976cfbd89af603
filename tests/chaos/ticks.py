"""Which ticks of the minutely entry of the schedule there must be after a soak."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from models import Run
from models.tick import ticks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.resources import Resources

ENTRY = "refresh-stats"
MINUTE = timedelta(minutes=1)
BEFORE, AFTER = timedelta(seconds=5), timedelta(seconds=5)


def due(begin: datetime, end: datetime, away: Sequence[tuple[datetime, datetime]]) -> set[datetime]:
    """List the minutes in which workers were at work and no service was away around the full minute.

    Some of the workers live at any moment of a soak, as only one at a time is killed or paused.
    """
    minute, found = (begin + BEFORE).replace(second=0, microsecond=0) + MINUTE, set()
    while minute < end - AFTER:
        if not any(minute - BEFORE < back and gone < minute + AFTER for gone, back in away):
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
