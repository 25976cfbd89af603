"""Writing for every database: ORM objects, new ones by `add_all`, in one flush each."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from sqlalchemy import select

from jobs.errors import BatchConflictError
from models.dialect import among

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncSession

    from jobs.writers.writer import Model, Rows
    from models.post import Post
    from models.user import User


async def insert(session: AsyncSession, model: Model, columns: Sequence[str], rows: Rows) -> Sequence[int]:
    """Add an object for each row; with all keys known the flush is one pipelined statement."""
    objects = [model(**dict(zip(columns, row, strict=True))) for row in rows]
    session.add_all(objects)
    await session.flush()
    return [one.id for one in objects]


async def update(session: AsyncSession, model: Model, columns: Sequence[str], rows: Rows) -> None:
    """Load the objects of the rows and set their columns."""
    wanted = {row[0]: row for row in rows}
    query = select(model).where(among(session, model.id, wanted))
    objects = cast("Sequence[User | Post]", (await session.scalars(query)).all())
    if len(objects) < len(wanted):
        raise BatchConflictError
    for one in objects:
        for name, value in zip(columns, wanted[one.id], strict=True):
            setattr(one, name, value)
    await session.flush()
