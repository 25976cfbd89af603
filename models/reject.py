"""Records that could not be loaded, kept with their bytes and the reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from sqlalchemy import ForeignKey, LargeBinary, String, UniqueConstraint, and_, case, func, select
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import Mapped, mapped_column, undefer

from models.base import Base, LongText, UuidKey, intpk, small_int
from models.family import with_parts
from models.run import Run

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from sqlalchemy import ColumnElement
    from sqlalchemy.ext.asyncio import AsyncSession
    from sqlalchemy.orm import InstrumentedAttribute

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
    run_id: UUID,
    limit: int,
    after: Place | None = None,
    *,
    rule: str | None = None,
    replayed: bool | None = None,
) -> Sequence[tuple[Reject, Place]]:
    """List the first rejects of a run and of its parts, behind a place, in file order and with their bytes.

    Of all, or of those that broke a rule; of those that were replayed, or of those that were not.
    """
    parts = await _parts(session, run_id)
    which = [] if rule is None else [Reject.rule == rule]
    if replayed is not None:
        which.append(Reject.replayed_by.is_not(None) if replayed else Reject.replayed_by.is_(None))
    found: list[Reject] = []
    for stretch in _stretches(parts, after):
        if len(found) < limit:
            query = select(Reject).where(stretch, *which).order_by(*_file_order(parts))
            rows = await session.scalars(query.options(undefer(Reject.raw)).limit(limit - len(found)))
            found += rows.all()
    return [(each, Place(parts[each.run_id], each.file_number, each.position)) for each in found]


async def _parts(session: AsyncSession, run_id: UUID) -> dict[UUID, int]:
    """Give a run and its parts with the numbers of these."""
    query = select(Run.id, func.coalesce(Run.part, NO_PART)).where(with_parts([run_id]))
    return dict((await session.execute(query)).all())


def _stretches(parts: Mapping[UUID, int], after: Place | None) -> Iterator[ColumnElement[bool]]:
    """Match what is behind a place, piece by piece, so that an index gives each in its order."""
    if after is None:
        yield Reject.run_id.in_(parts)
        return
    for run_id in (run_id for run_id, part in parts.items() if part == after.part):
        in_file = Reject.file_number == after.file_number
        yield and_(Reject.run_id == run_id, in_file, Reject.position > after.position)
        yield and_(Reject.run_id == run_id, Reject.file_number > after.file_number)
    if later := [run_id for run_id, part in parts.items() if part > after.part]:
        yield Reject.run_id.in_(later)


def _file_order(parts: Mapping[UUID, int]) -> Iterator[ColumnElement[int] | InstrumentedAttribute[int]]:
    if len(parts) > 1:
        yield case(*((Reject.run_id == run_id, part) for run_id, part in parts.items()))
    yield Reject.file_number
    yield Reject.position


async def rejects_by_rule(session: AsyncSession, run_id: UUID) -> dict[str, RuleCount]:
    """Count the rejects of a run and of its parts by rule."""
    counts = (Reject.rule, func.count() - func.count(Reject.replayed_by), func.count(Reject.replayed_by))
    query = select(*counts).join_from(Reject, Run, Run.id == Reject.run_id).where(with_parts([run_id]))
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
