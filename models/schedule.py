"""How far the schedule has been worked off, by entry."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base


class Schedule(Base):
    """One entry of the schedule: ticks up to and including `seen_until` are taken or were let go."""

    __tablename__ = "schedules"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    seen_until: Mapped[datetime]
