"""Rows that a snapshot of a site still has, noted while it is loaded: what is not among them has vanished."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast
from uuid import UUID

from sqlalchemy import ForeignKey, String, literal, select
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, BigKey, UuidKey
from models.bulk import given_rows
from models.dialect import dialect_of, insert_missing

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import Table
    from sqlalchemy.ext.asyncio import AsyncSession


class SeenRow(Base):
    """A row of `entity` that the snapshot which a run (`root_id`: the one that was asked for) loads has."""

    __tablename__ = "seen_rows"

    root_id: Mapped[UUID] = mapped_column(
        UuidKey, ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True
    )
    entity: Mapped[str] = mapped_column(String(16), primary_key=True)
    row_id: Mapped[int] = mapped_column(BigKey, primary_key=True, autoincrement=False)


async def note_seen(session: AsyncSession, root_id: UUID, entity: str, row_ids: Collection[int]) -> None:
    """Note that a snapshot has records of these rows; some may be noted already."""
    if not row_ids:
        return
    table = cast("Table", SeenRow.__table__)
    noting = insert_missing(dialect_of(session), table)
    if dialect_of(session) == "postgresql":
        given = given_rows(table, ["row_id"], [(row_id,) for row_id in sorted(row_ids)])
        rows = select(literal(root_id, UuidKey), literal(entity), given.c.row_id)
        await session.execute(noting.from_select(("root_id", "entity", "row_id"), rows))
    else:
        key = {"root_id": root_id, "entity": entity}
        await session.execute(noting, [key | {"row_id": row_id} for row_id in sorted(row_ids)])
