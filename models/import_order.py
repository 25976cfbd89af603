"""Which import wrote to a site after which: only what the latest of them did can be undone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import exists, func, or_, select, update

from models.family import OPEN, with_parts
from models.former_row import FormerRow
from models.receipt import Receipt
from models.run import Run
from models.run_file import RunFile
from models.seen_row import SeenRow

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession


async def written_by(session: AsyncSession, root_id: UUID) -> dict[str, dict[str, int]]:
    """Add up what a run and its parts have inserted, updated and deleted, by entity."""
    names = ("inserted", "updated", "deleted")
    sums = (func.sum(getattr(Receipt, name)) for name in names)
    query = select(Receipt.entity, *sums).join(Run, Run.id == Receipt.run_id).where(with_parts([root_id]))
    rows = (await session.execute(query.group_by(Receipt.entity))).all()
    return {entity: dict(zip(names, map(int, counts), strict=True)) for entity, *counts in rows}


async def has_written(session: AsyncSession, root_id: UUID) -> bool:
    """Tell whether a run has changed any row of what is loaded."""
    return any(sum(counts.values()) for counts in (await written_by(session, root_id)).values())


async def is_open(session: AsyncSession, root_id: UUID) -> bool:
    """Tell whether a run or a part of it is queued or running."""
    query = select(Run.id).where(with_parts([root_id]), Run.state.in_(OPEN)).limit(1)
    return await session.scalar(query) is not None


async def later_import(session: AsyncSession, root_id: UUID, site: str) -> UUID | None:
    """Find a run that began to read files for the site after this one, and that writes or has written.

    What was reverted since does not count. Of runs that were pruned nobody knows what they did: they count.
    """
    began = select(func.min(RunFile.id)).where(RunFile.root_id == root_id).scalar_subquery()
    first = func.min(RunFile.id)
    others = select(RunFile.root_id).where(RunFile.site == site, RunFile.reverted_by.is_(None))
    later = others.group_by(RunFile.root_id).having(first > began).order_by(first)
    for other in (await session.scalars(later)).all():
        is_known = await session.get(Run, other) is not None
        if not is_known or await is_open(session, other) or await has_written(session, other):
            return other
    return None


async def supersede_earlier(session: AsyncSession, root_id: UUID, site: str) -> None:
    """Note that a run has written to a site after those that began before it."""
    began = select(func.min(RunFile.id)).where(RunFile.root_id == root_id)
    first = await session.scalar(began)
    if first is None or not await has_written(session, root_id):
        return
    earlier = (RunFile.site == site, RunFile.id < first, RunFile.root_id != root_id)
    noting = update(RunFile).where(*earlier, RunFile.superseded_by.is_(None)).values(superseded_by=root_id)
    await session.execute(noting.execution_options(synchronize_session=False))


async def superseded_by(session: AsyncSession, root_id: UUID) -> UUID | None:
    """Give the run that has written to the site after this one, if that is noted."""
    query = select(RunFile.superseded_by).where(
        RunFile.root_id == root_id, RunFile.superseded_by.is_not(None)
    )
    return await session.scalar(query.limit(1))


async def superseded_with_notes(session: AsyncSession, site: str) -> Sequence[UUID]:
    """List the runs whose notes of former and seen rows nobody needs any more."""
    notes = (
        exists().where(FormerRow.root_id == RunFile.root_id),
        exists().where(SeenRow.root_id == RunFile.root_id),
    )
    query = select(RunFile.root_id).where(RunFile.site == site, RunFile.superseded_by.is_not(None))
    return (await session.scalars(query.where(or_(*notes)).distinct())).all()


async def reverted_by(session: AsyncSession, run_id: UUID) -> UUID | None:
    """Give the run that undid what a run, or a part of one, has loaded."""
    which = or_(RunFile.root_id == run_id, RunFile.run_id == run_id)
    query = select(RunFile.reverted_by).where(which, RunFile.reverted_by.is_not(None))
    return await session.scalar(query.limit(1))


async def note_reverted(session: AsyncSession, root_id: UUID, reverted_by: UUID) -> None:
    """Note that what a run loaded was undone."""
    noting = update(RunFile).where(RunFile.root_id == root_id).values(reverted_by=reverted_by)
    await session.execute(noting.execution_options(synchronize_session=False))
