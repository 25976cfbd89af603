"""Computing the statistics of marked authors, batch by batch: what the jobs of statistics share."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from jobs.conflicts import despite_conflicts
from models.author_stats import all_fresh, take_stale, wait_for_stale
from models.clock import moment
from models.stats_upkeep import lock_upkeep, most_are_stale, next_range, recompute, recompute_range

if TYPE_CHECKING:
    from datetime import datetime

    from jobs.context import JobContext

# An import that touches an author of a batch waits for all of them.
AUTHORS_PER_BATCH = 5_000
USERS_PER_PAGE = 20_000


async def refresh_stale(context: JobContext) -> int:
    """Compute the statistics of the authors that are marked stale, and unmark them; count them."""
    refreshed, left = await despite_conflicts(partial(_refresh_few, context))
    return refreshed + await _refresh_many(context) if left else refreshed


async def _refresh_few(context: JobContext) -> tuple[int, bool]:
    """Refresh all that are marked if one batch holds them, count them, and tell whether marks are left.

    Mostly this is all there is to do, so nothing is asked that only the others need.
    """
    async with context.batch() as batch:
        await lock_upkeep(batch.session)
        authors = await take_stale(batch.session, AUTHORS_PER_BATCH + 1)
        if len(authors) > AUTHORS_PER_BATCH:
            return 0, True
        if authors:
            await recompute(batch.session, authors)
        return len(authors), not await all_fresh(batch.session)


async def _refresh_many(context: JobContext) -> int:
    """Refresh the marked authors batch by batch, or page by page if they are most; count them.

    Marks that others hold come last: an import renews them and has a refresh of its own, but a worker that
    was paused has neither.
    """
    async with context.batch() as batch:
        began = await moment(batch.session)
        most = await most_are_stale(batch.session)
    refreshed, left = await _refresh_pages(context) if most else 0, True
    while left:
        refreshed_now, left = await despite_conflicts(partial(_refresh_some, context, began))
        refreshed += refreshed_now
    return refreshed


async def _refresh_pages(context: JobContext) -> int:
    """Refresh the marked authors page by page of all users."""
    refreshed, after = 0, 0
    while page := await despite_conflicts(partial(_refresh_page, context, after)):
        after, refreshed = page[0], refreshed + page[1]
    return refreshed


async def _refresh_page(context: JobContext, after: int) -> tuple[int, int] | None:
    """Refresh the next page; give where it ends and how many of its authors were marked, or None."""
    async with context.batch() as batch:
        await lock_upkeep(batch.session)
        page = await next_range(batch.session, after, USERS_PER_PAGE)
        return page and (page.last, await recompute_range(batch.session, page))


async def _refresh_some(context: JobContext, began: datetime) -> tuple[int, bool]:
    """Refresh some authors, count them, and tell whether marks are left that are as old as the refresh."""
    async with context.batch() as batch:
        await lock_upkeep(batch.session)
        authors = await take_stale(batch.session, AUTHORS_PER_BATCH)
        authors = authors or await wait_for_stale(batch.session, began)
        if authors:
            await recompute(batch.session, authors)
        return len(authors), not await all_fresh(batch.session, began)
