from __future__ import annotations

from typing import TYPE_CHECKING

from models.author_stats import recompute, take_stale

if TYPE_CHECKING:
    from jobs.context import JobContext
    from jobs.requests import RefreshAuthorStats

AUTHORS_PER_BATCH = 500


async def refresh_author_stats(context: JobContext, _request: RefreshAuthorStats) -> dict[str, int]:
    """Compute the statistics of the authors that are marked stale, and unmark them; count them."""
    refreshed = 0
    while True:
        async with context.batch() as batch:
            authors = await take_stale(batch.session, AUTHORS_PER_BATCH)
            if authors:
                await recompute(batch.session, authors)
        if not authors:
            return {"refreshed": refreshed}
        refreshed += len(authors)
