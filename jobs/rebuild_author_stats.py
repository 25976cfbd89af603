from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from jobs.conflicts import despite_conflicts
from jobs.refreshing import refresh_stale
from models.database import to_its_end
from models.stats_upkeep import lock_upkeep, next_range, repair

if TYPE_CHECKING:
    from jobs.context import JobContext
    from jobs.requests import RebuildAuthorStats

USERS_PER_BATCH = 50_000
NOTHING = {"after": 0, "users": 0, "drifted": 0}


async def rebuild_author_stats(context: JobContext, _request: RebuildAuthorStats) -> dict[str, int]:
    """Compute the statistics of all authors; count the users looked at and those that had drifted."""
    await refresh_stale(context)
    while await to_its_end(despite_conflicts(partial(_repair_page, context))):
        pass
    done = context.checkpoint or NOTHING
    return {"users": done["users"], "drifted": done["drifted"]}


async def _repair_page(context: JobContext) -> bool:
    """Repair the next users; False if there are none."""
    done = context.checkpoint or NOTHING
    async with context.batch() as batch:
        page = await next_range(batch.session, done["after"], USERS_PER_BATCH)
        if page is None:
            return False
        await lock_upkeep(batch.session)
        wrong = await repair(batch.session, page)
        batch.checkpoint = {
            "after": page.last,
            "users": done["users"] + page.users,
            "drifted": done["drifted"] + wrong,
        }
    return True
