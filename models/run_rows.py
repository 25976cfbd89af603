"""What is noted of rows while a run works: asked for, and deleted in pages when nobody needs it any more."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from sqlalchemy import delete, literal, select

from models.former_row import FormerRow
from models.seen_row import SeenRow

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy import ColumnElement
    from sqlalchemy.ext.asyncio import AsyncSession

    from models.post import Post
    from models.tag import Tag
    from models.user import User

NOTES: tuple[type[FormerRow | SeenRow], ...] = (FormerRow, SeenRow)


def is_noted(
    note: type[FormerRow | SeenRow], root_id: UUID, model: type[User | Post | Tag]
) -> ColumnElement[bool]:
    """Tell whether a run has a note of a row.

    The limit keeps PostgreSQL from making a join of it. As long as it has no statistics of the notes, which
    are as young as the run, it would read all of them for every row.
    """
    noted = select(literal(1)).where(
        note.root_id == root_id, note.entity == model.__tablename__, note.row_id == model.id
    )
    return noted.limit(1).scalar_subquery().is_not(None)


async def forget(session: AsyncSession, note: type[FormerRow | SeenRow], root_id: UUID, limit: int) -> bool:
    """Delete the next notes of a run, and tell whether there were any."""
    keys = select(note.entity, note.row_id).where(note.root_id == root_id)
    page = (await session.execute(keys.order_by(note.entity, note.row_id).limit(limit))).all()
    for entity, rows in groupby(page, lambda row: row.entity):
        last = [row.row_id for row in rows][-1]
        gone = delete(note).where(note.root_id == root_id, note.entity == entity, note.row_id <= last)
        await session.execute(gone.execution_options(synchronize_session=False))
    return bool(page)
