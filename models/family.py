"""Runs that follow from a run: its follow-ups, and the parts it was split into."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import aliased, selectinload

from models.clock import now
from models.receipt import Receipt
from models.run import Run, State

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from uuid import UUID

    from sqlalchemy import ColumnElement, Row
    from sqlalchemy.ext.asyncio import AsyncSession

OPEN = (State.QUEUED, State.RUNNING)


async def family(session: AsyncSession, run_ids: Collection[UUID]) -> Sequence[Row[UUID, str]]:
    """List runs and all that follow from them, as (id, state)."""
    line = select(Run.id, Run.state).where(Run.id.in_(run_ids)).cte(recursive=True)
    child = aliased(Run)
    line = line.union(select(child.id, child.state).join(line, child.parent_id == line.c.id))
    return (await session.execute(select(line.c.id, line.c.state))).all()


async def cancel_runs(session: AsyncSession, run_ids: Collection[UUID]) -> int:
    """Cancel queued and running runs with all that follow from them; return how many of the family stopped.

    A running one stops at once and keeps what it committed.
    """
    stopped = 0
    # Whoever ends a run may just have made the next ones, which are seen once its transaction has ended.
    while members := [run_id for run_id, state in await family(session, run_ids) if state in OPEN]:
        stopped += await _cancel(session, members)
    return stopped


async def _cancel(session: AsyncSession, run_ids: Sequence[UUID]) -> int:
    locking = select(Run.id).where(Run.id.in_(run_ids)).order_by(Run.id).with_for_update()
    await session.execute(locking)
    statement = update(Run).where(Run.id.in_(run_ids), Run.state.in_(OPEN))
    values = {"state": State.CANCELLED, "finished_at": now(), "lease_until": None, "error": "cancelled"}
    done = await session.execute(statement.values(values).execution_options(synchronize_session=False))
    return int(done.rowcount)  # type: ignore[attr-defined]


def with_parts(run_ids: Collection[UUID]) -> ColumnElement[bool]:
    """Match runs and the parts they were split into."""
    return Run.id.in_(run_ids) | (Run.parent_id.in_(run_ids) & Run.part.is_not(None))


async def parts_of(session: AsyncSession, run_id: UUID) -> Sequence[Run]:
    """List the parts that a run was split into, with their receipts."""
    query = select(Run).where(Run.parent_id == run_id, Run.part.is_not(None)).order_by(Run.part)
    return (await session.scalars(query.options(selectinload(Run.receipts)))).all()


async def open_parts(
    session: AsyncSession, parent_id: UUID, parts: int, follow_up: dict[str, Any] | None
) -> None:
    """Note that so many parts of a run are to be counted, and what follows then."""
    values = {"open_children": parts, "follow_up": follow_up}
    statement = update(Run).where(Run.id == parent_id).values(values)
    await session.execute(statement.execution_options(synchronize_session=False))


async def count_part(session: AsyncSession, parent_id: UUID) -> dict[str, Any] | None:
    """Note that one part of a split run has succeeded; after the last of its stage, give what is to follow.

    The parent's row is locked until the transaction of the part ends, so parts count one after another.
    """
    statement = update(Run).where(Run.id == parent_id, Run.open_children > 0)
    await session.execute(
        statement.values(open_children=Run.open_children - 1).execution_options(synchronize_session=False)
    )
    query = select(Run.follow_up).where(Run.id == parent_id, Run.open_children == 0)
    return await session.scalar(query)


async def counted(session: AsyncSession, run_id: UUID) -> tuple[int, int]:
    """Say how many records a run and its parts have read so far, and how many of them were rejected."""
    sums = (func.sum(Receipt.records_read), func.sum(Receipt.rejected))
    query = select(*sums).join_from(Receipt, Run, Run.id == Receipt.run_id).where(with_parts([run_id]))
    read, rejected = (await session.execute(query)).one()
    return int(read or 0), int(rejected or 0)
