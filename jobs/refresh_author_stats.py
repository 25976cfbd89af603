from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.refreshing import refresh_stale

if TYPE_CHECKING:
    from jobs.context import JobContext
    from jobs.requests import RefreshAuthorStats


async def refresh_author_stats(context: JobContext, _request: RefreshAuthorStats) -> dict[str, int]:
    """Compute the statistics of the authors that are marked stale, and unmark them; count them."""
    return {"refreshed": await refresh_stale(context)}
