"""How far the schedule has been worked off, by entry."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import String, select, update
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base
from models.clock import now
from models.dialect import dialect_of, insert_missing

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy.ext.asyncio import AsyncSession


class Schedule(Base):
    """One entry of the schedule: ticks up to and including `seen_until` are taken or were let go."""

    __tablename__ = "schedules"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    seen_until: Mapped[datetime]


async def seen_schedules(session: AsyncSession) -> tuple[datetime, dict[str, datetime]]:
    """Give the time now and how far each entry has been worked off."""
    moment = (await session.execute(select(now()))).scalar_one()
    rows = await session.execute(select(Schedule.name, Schedule.seen_until))
    return moment, {row.name: row.seen_until for row in rows}


async def begin_schedules(session: AsyncSession, names: Collection[str]) -> None:
    """Begin entries that were never seen with the time now, so that no history is made up for."""
    moment = (await session.execute(select(now()))).scalar_one()
    rows = [{"name": name, "seen_until": moment} for name in names]
    await session.execute(insert_missing(dialect_of(session), Schedule.__table__).values(rows))


async def hold_schedule(session: AsyncSession, name: str) -> tuple[datetime, datetime] | None:
    """Lock an entry for this transaction; give how far it has been worked off, and the time now.

    None means that another worker holds it.
    """
    query = select(Schedule.seen_until).where(Schedule.name == name)
    seen_until = await session.scalar(query.with_for_update(skip_locked=True))
    if seen_until is None:
        return None
    return seen_until, (await session.execute(select(now()))).scalar_one()


async def move_schedule(session: AsyncSession, name: str, seen_until: datetime) -> None:
    """Note how far an entry has been worked off; it never moves back."""
    forward = (Schedule.name == name) & (Schedule.seen_until < seen_until)
    statement = update(Schedule).where(forward).values(seen_until=seen_until)
    await session.execute(statement.execution_options(synchronize_session=False))
