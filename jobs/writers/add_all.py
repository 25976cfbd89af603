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
    objects = [_made(model, columns, row) for row in rows]
    session.add_all(objects)
    await session.flush()
    return [one.id for one in objects]


def _made(model: Model, columns: Sequence[str], row: Sequence[object]) -> User | Post:
    """Make an object with values as a query sets them, all at once.

    Set one by one, each would look for who listens to it, and nobody does; a flush takes what a new object
    has, however it got there.
    """
    one = model()
    one.__dict__.update(zip(columns, row, strict=True))
    return one


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
