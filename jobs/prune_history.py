from __future__ import annotations

from typing import TYPE_CHECKING

from models.limit import delete_unused_limits
from models.run import delete_finished
from models.tick import delete_ticks

if TYPE_CHECKING:
    from jobs.context import JobContext
    from jobs.requests import PruneHistory

RUNS_PER_BATCH = 500


async def prune_history(context: JobContext, request: PruneHistory) -> dict[str, int]:
    """Delete runs that finished long ago with what belongs to them, and old ticks; count the runs."""
    deleted = 0
    while True:
        async with context.batch() as batch:
            more = await delete_finished(batch.session, request.keep_days, RUNS_PER_BATCH)
            await delete_ticks(batch.session, request.keep_days)
            await delete_unused_limits(batch.session)
        deleted += more
        if more < RUNS_PER_BATCH:
            return {"deleted": deleted}
