"""Rows as they were before a run changed or deleted them: what undoing the run goes by."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, BigKey, UuidKey


class FormerRow(Base):
    """A row before a run (`root_id`: the one that was asked for) touched it; kept as long as the run."""

    __tablename__ = "former_rows"

    root_id: Mapped[UUID] = mapped_column(
        UuidKey, ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True
    )
    entity: Mapped[str] = mapped_column(String(16), primary_key=True)
    row_id: Mapped[int] = mapped_column(BigKey, primary_key=True, autoincrement=False)
    row: Mapped[dict[str, Any]]
