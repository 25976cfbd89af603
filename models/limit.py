"""The rows at which claims queue up, so that no more runs of one key start than may."""

from __future__ import annotations

from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, exact_string


class Limit(Base):
    """One key of a limited job; whoever claims a run with it holds its lock while counting."""

    __tablename__ = "limits"

    key: Mapped[str] = mapped_column(exact_string(200), primary_key=True)
