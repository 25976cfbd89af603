"""The bound on rejects that fails an import which is mostly garbage, before it does damage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jobs.errors import TooManyRejectsError
from models.family import counted
from models.reject import rejects_of

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from jobs.context import Batch, JobContext

# A share says little of the first records.
FEWEST_READ = 1_000


@dataclass(frozen=True, slots=True)
class RejectLimit:
    """So many rejects of a run and its parts, or such a share of what they read; None bounds nothing."""

    text: str | None = None

    def allows(self, read: int, rejected: int, *, at_end: bool) -> bool:
        """Tell whether so many may be rejected; a share counts from 1,000 records on, and at the end."""
        if self.text is None:
            return True
        if not self.text.endswith("%"):
            return rejected <= int(self.text)
        return (read < FEWEST_READ and not at_end) or rejected * 100 <= read * float(self.text[:-1])

    async def check(self, context: JobContext, batch: Batch, *, at_end: bool) -> None:
        """Count the batch, which is not committed yet, with all before it of the run and its parts.

        Raises:
            TooManyRejectsError: there are more than this allows.

        """
        if self.text is None:
            return
        read, rejected = await counted(batch.session, context.root_id)
        read += sum(counts["records_read"] for counts in batch.receipts.values())
        rejected += sum(counts["rejected"] for counts in batch.receipts.values())
        if not self.allows(read, rejected, at_end=at_end):
            await batch.session.flush()
            first = await _first(batch.session, context.root_id)
            raise TooManyRejectsError(
                f"{rejected:,} of {read:,} records ({rejected / read:.1%}) were rejected, more than "
                f"--max-rejects {self.text} allows; the first: {first}; see `headrace rejects "
                f"{context.root_id}`, then correct the input, or import it again with another limit"
            )


async def _first(session: AsyncSession, run_id: UUID) -> str:
    [(reject, _)] = await rejects_of(session, run_id, 1)
    return f"{reject.source} at {reject.position}: {reject.rule}: {reject.reason}"
