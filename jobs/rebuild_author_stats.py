from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from jobs.conflicts import despite_conflicts
from models.author_stats import drifted, mark_stale, next_author_ids, recompute
from models.database import to_its_end

if TYPE_CHECKING:
    from jobs.context import JobContext
    from jobs.requests import RebuildAuthorStats

USERS_PER_BATCH = 2_000
NOTHING = {"after": 0, "users": 0, "drifted": 0}


async def rebuild_author_stats(context: JobContext, _request: RebuildAuthorStats) -> dict[str, int]:
    """Compute the statistics of all authors; count the users looked at and those that had drifted."""
    while await to_its_end(despite_conflicts(partial(_rebuild_page, context))):
        pass
    done = context.checkpoint or NOTHING
    return {"users": done["users"], "drifted": done["drifted"]}


async def _rebuild_page(context: JobContext) -> bool:
    """Rebuild the next users; False if there are none.

    They are marked first: the marks' locks keep importers and refreshers out until the page is stored.
    """
    done = context.checkpoint or NOTHING
    async with context.batch() as batch:
        users = await next_author_ids(batch.session, done["after"], USERS_PER_BATCH)
        if not users:
            return False
        wrong = await drifted(batch.session, users)
        await mark_stale(batch.session, users)
        await recompute(batch.session, users)
        batch.checkpoint = {
            "after": users[-1],
            "users": done["users"] + len(users),
            "drifted": done["drifted"] + wrong,
        }
    return True
