"""Receipts: the counts that a run answers for."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, String, select
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, UuidKey, count

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy.ext.asyncio import AsyncSession

# The counts of a receipt, as columns.
COUNTS = ("records_read", "inserted", "updated", "unchanged", "deleted", "rejected", "skipped", "repaired")


class Receipt(Base):
    """The counts a run answers for, by entity; the database refuses counts that do not add up.

    `digest` is the sum of the digests of all records that were loaded, as a signed number of 64 bits.
    """

    __tablename__ = "receipts"
    __table_args__ = (
        CheckConstraint("records_read = inserted + updated + unchanged + rejected + skipped", name="adds_up"),
    )

    run_id: Mapped[UUID] = mapped_column(UuidKey, ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    entity: Mapped[str] = mapped_column(String(16), primary_key=True)
    records_read: Mapped[count]
    inserted: Mapped[count]
    updated: Mapped[count]
    unchanged: Mapped[count]
    deleted: Mapped[count]
    rejected: Mapped[count]
    skipped: Mapped[count]
    repaired: Mapped[count]
    digest: Mapped[count] = mapped_column(server_default="0")
    unknown_fields: Mapped[dict[str, Any]] = mapped_column(default=dict)


def signed(number: int) -> int:
    """Give the signed number of 64 bits that a sum of digests wraps around to."""
    return (number + (1 << 63)) % (1 << 64) - (1 << 63)


async def receipt_totals(session: AsyncSession, run_ids: Collection[UUID]) -> dict[UUID, Counter[str]]:
    """Add up the receipts of each run, without the counts that are zero."""
    totals: dict[UUID, Counter[str]] = {run_id: Counter() for run_id in run_ids}
    for receipt in await session.scalars(select(Receipt).where(Receipt.run_id.in_(run_ids))):
        totals[receipt.run_id] += Counter({name: getattr(receipt, name) for name in COUNTS})
    return totals
