"""Records that could not be loaded, kept with their bytes and the reason."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from sqlalchemy import ForeignKey, LargeBinary, String, UniqueConstraint, func, literal, select, tuple_
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import Mapped, mapped_column, undefer

from models.base import Base, LongText, UuidKey, intpk, small_int
from models.family import with_parts
from models.run import Run

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy.ext.asyncio import AsyncSession

NO_PART = -1  # of a run that is no part of another


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


OF_RUN = Run.id == Reject.run_id


@dataclass(frozen=True, slots=True)
class Place:
    """Where a reject stands among those of a run: by the number of the part, of the file, and in the file."""

    part: int
    file_number: int
    position: int


class RuleCount(NamedTuple):
    """How many rejects broke a rule: those that are still open, and those that were loaded after all."""

    open: int
    replayed: int


async def rejects_of(
    session: AsyncSession,
    run_ids: Collection[UUID],
    limit: int,
    after: Place | None = None,
    *,
    rule: str | None = None,
    replayed: bool | None = None,
) -> Sequence[tuple[Reject, Place]]:
    """List the first rejects of runs and of their parts, behind a place, in file order and with their bytes.

    Of all, or of those that broke a rule; of those that were replayed, or of those that were not.
    """
    part = func.coalesce(Run.part, NO_PART)
    place = (part, Reject.file_number, Reject.position)
    query = select(Reject, part).join_from(Reject, Run, OF_RUN).where(with_parts(run_ids))
    if rule is not None:
        query = query.where(Reject.rule == rule)
    if replayed is not None:
        query = query.where(Reject.replayed_by.is_not(None) if replayed else Reject.replayed_by.is_(None))
    if after:
        query = query.where(tuple_(*place) > tuple_(*map(literal, astuple(after))))
    rows = await session.execute(query.options(undefer(Reject.raw)).order_by(*place).limit(limit))
    return [(reject, Place(of, reject.file_number, reject.position)) for reject, of in rows]


async def rejects_by_rule(session: AsyncSession, run_ids: Collection[UUID]) -> dict[str, RuleCount]:
    """Count the rejects of runs and of their parts by rule."""
    counts = (Reject.rule, func.count() - func.count(Reject.replayed_by), func.count(Reject.replayed_by))
    query = select(*counts).join_from(Reject, Run, OF_RUN).where(with_parts(run_ids))
    rows = await session.execute(query.group_by(Reject.rule).order_by(Reject.rule))
    return {rule: RuleCount(*numbers) for rule, *numbers in rows}


async def take_rejects(session: AsyncSession, ids: Collection[int]) -> dict[int, Reject]:
    """Lock those of the rejects that nobody has replayed, for the transaction that settles them."""
    query = select(Reject).where(Reject.id.in_(ids), Reject.replayed_by.is_(None)).order_by(Reject.id)
    rows = await session.scalars(query.with_for_update())
    return {reject.id: reject for reject in rows}


async def reject_positions(
    session: AsyncSession, run_id: UUID, file_number: int, first: int, end: int
) -> set[int]:
    """Give the positions of the rejects of a part of a file, from `first` up to `end`."""
    query = select(Reject.position).where(
        Reject.run_id == run_id,
        Reject.file_number == file_number,
        Reject.position >= first,
        Reject.position < end,
    )
    return set(await session.scalars(query))


async def count_replayed(session: AsyncSession, run_ids: Collection[UUID], entity: str) -> int:
    """Count the rejects of runs that were loaded after all."""
    query = select(func.count()).where(
        Reject.run_id.in_(run_ids), Reject.entity == entity, Reject.replayed_by.is_not(None)
    )
    return await session.scalar(query) or 0
