"""Ticks of the schedule that were taken. Mapped the classic way: a plain value and, beside it, its table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Column, ForeignKey, String, Table, delete, func, select, update

from models.base import Base, UtcDateTime, UuidKey
from models.clock import now
from models.dialect import insert_once
from models.run import Run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncSession

ticks = Table(
    "ticks",
    Base.metadata,
    Column("schedule", String(64), primary_key=True),
    Column("tick", UtcDateTime(), primary_key=True),
    Column("run_id", UuidKey, ForeignKey("runs.id", ondelete="SET NULL"), index=True),
)


@dataclass
class Tick:
    """One moment at which an entry of the schedule fell due, and the run that it started."""

    schedule: str
    tick: datetime
    run_id: UUID | None = None


Base.registry.map_imperatively(Tick, ticks)


async def take_tick(session: AsyncSession, schedule: str, tick: datetime) -> bool:
    """Take a tick for this transaction; False means that another worker has it already."""
    return await insert_once(session, ticks, {"schedule": schedule, "tick": tick})


async def link_tick(session: AsyncSession, schedule: str, tick: datetime, run_id: UUID) -> None:
    """Note which run a tick has started."""
    this = (ticks.c.schedule == schedule) & (ticks.c.tick == tick)
    await session.execute(update(ticks).where(this).values(run_id=run_id))


async def last_ticks(session: AsyncSession) -> Sequence[Row[str, datetime, UUID | None, str | None]]:
    """List the newest tick of each entry, with the run it started and that run's state."""
    newest = select(ticks.c.schedule, func.max(ticks.c.tick).label("tick")).group_by(ticks.c.schedule)
    found = newest.subquery()
    query = (
        select(ticks.c.schedule, ticks.c.tick, ticks.c.run_id, Run.state)
        .join(found, (found.c.schedule == ticks.c.schedule) & (found.c.tick == ticks.c.tick))
        .outerjoin(Run, Run.id == ticks.c.run_id)
    )
    return (await session.execute(query)).all()


async def delete_ticks(session: AsyncSession, keep_days: float) -> None:
    """Delete ticks older than `keep_days`."""
    await session.execute(delete(ticks).where(ticks.c.tick < now(-keep_days * 86_400)))
