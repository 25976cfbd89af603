"""The rows at which claims queue up, so that no more runs of one key start than may."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import String, and_, delete, exists, or_, select
from sqlalchemy.orm import Mapped, aliased, mapped_column

from models.base import Base
from models.run import FINISHED, Run, State

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession


class Limit(Base):
    """One key of a limited job; whoever claims a run with it holds its lock while counting."""

    __tablename__ = "limits"

    key: Mapped[str] = mapped_column(String(200), primary_key=True)


_part = aliased(Run)
_has_parts_at_work = exists().where(
    _part.parent_id == Run.id, _part.part.is_not(None), _part.state.not_in(FINISHED)
)
# A run that was split is at work for as long as a part of it is, or is about to be.
AT_WORK = or_(
    Run.state == State.RUNNING, and_(Run.state == State.SUCCEEDED, Run.open_children > 0, _has_parts_at_work)
)


async def delete_unused_limits(session: AsyncSession) -> None:
    """Delete the keys that no run has; one that comes back is inserted again by its claim."""
    used = select(Run.limit_key).where(Run.limit_key.is_not(None))
    unused = delete(Limit).where(Limit.key.not_in(used))
    await session.execute(unused.execution_options(synchronize_session=False))
