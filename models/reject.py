"""Records that could not be loaded, kept with their bytes and the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import ForeignKey, LargeBinary, String, UniqueConstraint, and_, func, or_, select
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import Mapped, mapped_column, undefer

from models.base import Base, LongText, UuidKey, intpk, small_int

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy.ext.asyncio import AsyncSession


class Reject(Base):
    """A record that broke a rule: where it stood, its bytes (bounded), the rule and the reason in words.

    `raw` is fetched only when asked for: it may be large. `next_position` is where the next record began,
    `replayed_by` the run that loaded this one after all.
    """

    __tablename__ = "rejects"
    __table_args__ = (UniqueConstraint("run_id", "file_number", "position"),)

    id: Mapped[intpk]
    run_id: Mapped[UUID] = mapped_column(UuidKey, ForeignKey("runs.id", ondelete="CASCADE"))
    entity: Mapped[str] = mapped_column(String(16))
    source: Mapped[str] = mapped_column(LongText)
    file_number: Mapped[small_int]
    position: Mapped[int]
    next_position: Mapped[int | None]
    rule: Mapped[str] = mapped_column(String(32))
    reason: Mapped[str] = mapped_column(LongText)
    replayed_by: Mapped[UUID | None] = mapped_column(UuidKey)
    raw: Mapped[bytes] = mapped_column(
        LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mysql", "mariadb"), deferred=True
    )


async def rejects_of(
    session: AsyncSession, run_ids: Collection[UUID], limit: int, after: tuple[int, int] | None = None
) -> Sequence[Reject]:
    """List the first rejects of a run, or of the parts of one, in file order and with their bytes.

    `after` is the file number and position of the last reject of the page before.
    """
    query = select(Reject).where(Reject.run_id.in_(run_ids)).order_by(Reject.file_number, Reject.position)
    if after:
        number, position = after
        later = and_(Reject.file_number == number, Reject.position > position)
        query = query.where(or_(Reject.file_number > number, later))
    return (await session.scalars(query.options(undefer(Reject.raw)).limit(limit))).all()


async def rejects_by_rule(session: AsyncSession, run_ids: Collection[UUID]) -> dict[str, int]:
    """Count the rejects of a run, or of the parts of one, by rule."""
    query = select(Reject.rule, func.count()).where(Reject.run_id.in_(run_ids)).group_by(Reject.rule)
    return dict((await session.execute(query.order_by(Reject.rule))).all())
