"""Ticks of the schedule that were taken. Mapped the classic way: a plain value and, beside it, its table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Column, ForeignKey, String, Table, Uuid, delete

from models.base import Base, UtcDateTime
from models.clock import now
from models.dialect import insert_missing

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

ticks = Table(
    "ticks",
    Base.metadata,
    Column("schedule", String(64), primary_key=True),
    Column("tick", UtcDateTime(), primary_key=True),
    Column("run_id", Uuid, ForeignKey("runs.id", ondelete="SET NULL"), index=True),
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
    taken = await session.execute(insert_missing(session, ticks).values(schedule=schedule, tick=tick))
    return bool(taken.rowcount)  # type: ignore[attr-defined]


async def delete_ticks(session: AsyncSession, keep_days: float) -> None:
    """Delete ticks older than `keep_days`."""
    await session.execute(delete(ticks).where(ticks.c.tick < now(-keep_days * 86_400)))
