"""Writing for PostgreSQL: new rows by binary COPY straight into their table, changed ones set-wise."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from jobs.errors import BatchConflictError
from models.bulk import copy_rows, update_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Table
    from sqlalchemy.ext.asyncio import AsyncSession

    from jobs.writers.writer import Model, Rows


async def insert(session: AsyncSession, model: Model, columns: Sequence[str], rows: Rows) -> Sequence[int]:
    """Copy the rows, whose keys must be known."""
    await copy_rows(session, cast("Table", model.__table__), columns, rows)
    return [row[0] for row in rows]


async def update(session: AsyncSession, model: Model, columns: Sequence[str], rows: Rows) -> None:
    """Set the columns of all rows by one statement."""
    if await update_rows(session, cast("Table", model.__table__), columns, rows) < len(rows):
        raise BatchConflictError
