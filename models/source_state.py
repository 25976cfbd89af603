"""What is known of the sources that are imported again and again."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import String, select
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, JsonOrNull, LongText, UuidKey
from models.clock import moment
from models.receipt import Receipt

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy.ext.asyncio import AsyncSession


class SourceState(Base):
    """One source as it was when it was loaded last.

    `fingerprint` is the digest of what was asked for, `versions` what each of its URLs said of its version,
    `sha256` the digest of all its files, `counts` how many records of each entity were read. `run_id` is the
    run that looked at it last, and `alarm` what was wrong then.
    """

    __tablename__ = "source_states"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    fingerprint: Mapped[str | None] = mapped_column(String(64))
    versions: Mapped[list[str] | None] = mapped_column(JsonOrNull)
    sha256: Mapped[str | None] = mapped_column(String(64))
    counts: Mapped[dict[str, Any] | None] = mapped_column(JsonOrNull)
    run_id: Mapped[UUID | None] = mapped_column(UuidKey)
    checked_at: Mapped[datetime | None]
    changed_at: Mapped[datetime | None]
    alarm: Mapped[str | None] = mapped_column(LongText)
    alarm_since: Mapped[datetime | None]

    def raise_alarm(self, alarm: str | None, at: datetime) -> None:
        """Set what is wrong, since when, or that nothing is any more."""
        self.alarm_since = (self.alarm_since or at) if alarm else None
        self.alarm = alarm


async def source_state(session: AsyncSession, name: str) -> SourceState | None:
    """Read what is known of a source."""
    return await session.get(SourceState, name)


async def source_states(session: AsyncSession, names: Collection[str]) -> dict[str, SourceState]:
    """Read what is known of several sources."""
    found: Sequence[SourceState] = (
        await session.scalars(select(SourceState).where(SourceState.name.in_(names)))
    ).all()
    return {state.name: state for state in found}


async def looked_at(session: AsyncSession, name: str, run_id: UUID) -> tuple[SourceState, datetime]:
    """Note that a run looks at a source; give its state, to be changed in this transaction, and the time."""
    state = await session.get(SourceState, name)
    if state is None:
        state = SourceState(name=name)
        session.add(state)
    at = await moment(session)
    state.run_id, state.checked_at = run_id, at
    return state, at


async def counts_read(session: AsyncSession, run_id: UUID) -> dict[str, int]:
    """Say how many records of each entity a run has read."""
    query = select(Receipt.entity, Receipt.records_read).where(Receipt.run_id == run_id)
    return {row.entity: row.records_read for row in await session.execute(query)}
