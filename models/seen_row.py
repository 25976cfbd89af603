"""Rows that a snapshot of a site still has, noted while it is loaded: what is not among them has vanished."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, BigKey, UuidKey


class SeenRow(Base):
    """A row of `entity` that the snapshot which a run (`root_id`: the one that was asked for) loads has."""

    __tablename__ = "seen_rows"

    root_id: Mapped[UUID] = mapped_column(
        UuidKey, ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True
    )
    entity: Mapped[str] = mapped_column(String(16), primary_key=True)
    row_id: Mapped[int] = mapped_column(BigKey, primary_key=True, autoincrement=False)
