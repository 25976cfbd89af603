"""Letting go of what undoing earlier imports of a site would need, once a later one has written."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from jobs.conflicts import despite_conflicts
from models.database import to_its_end
from models.import_order import supersede_earlier, superseded_with_notes
from models.run_rows import NOTES, forget

if TYPE_CHECKING:
    from uuid import UUID

    from jobs.context import JobContext
    from models.former_row import FormerRow
    from models.seen_row import SeenRow

NOTES_PER_BATCH = 20_000


async def supersede(context: JobContext, site: str) -> None:
    """Note that this run wrote to a site last, if it did, and forget what earlier ones had changed there."""
    for root_id in await to_its_end(despite_conflicts(partial(_begin, context, site))):
        for note in NOTES:
            while await to_its_end(despite_conflicts(partial(_forget, context, note, root_id))):
                pass


async def _begin(context: JobContext, site: str) -> list[UUID]:
    async with context.batch() as batch:
        await supersede_earlier(batch.session, context.root_id, site)
        return list(await superseded_with_notes(batch.session, site))


async def _forget(context: JobContext, note: type[FormerRow | SeenRow], root_id: UUID) -> bool:
    async with context.batch() as batch:
        return await forget(batch.session, note, root_id, NOTES_PER_BATCH)
