"""Computing the statistics of marked authors, batch by batch: what the jobs of statistics share."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from jobs.conflicts import despite_conflicts
from models.author_stats import take_stale, wait_for_stale
from models.clock import moment
from models.stats_upkeep import lock_upkeep, recompute

if TYPE_CHECKING:
    from datetime import datetime

    from jobs.context import JobContext

AUTHORS_PER_BATCH = 5_000  # an import that touches one of them waits for all


async def refresh_stale(context: JobContext) -> int:
    """Compute the statistics of the authors that are marked stale, and unmark them; count them.

    Marks that others hold come last: an import renews them and has a refresh of its own, but a worker that
    was paused has neither.
    """
    async with context.batch() as batch:
        began = await moment(batch.session)
    refreshed = 0
    while refreshed_now := await despite_conflicts(partial(_refresh_some, context, began)):
        refreshed += refreshed_now
    return refreshed


async def _refresh_some(context: JobContext, began: datetime) -> int:
    async with context.batch() as batch:
        await lock_upkeep(batch.session)
        authors = await take_stale(batch.session, AUTHORS_PER_BATCH)
        authors = authors or await wait_for_stale(batch.session, began)
        if authors:
            await recompute(batch.session, authors)
    return len(authors)
