from __future__ import annotations

from typing import TYPE_CHECKING

from models.author_stats import drifted, mark_stale, next_author_ids, recompute

if TYPE_CHECKING:
    from jobs.context import JobContext
    from jobs.requests import RebuildAuthorStats

USERS_PER_BATCH = 2_000


async def rebuild_author_stats(context: JobContext, _request: RebuildAuthorStats) -> dict[str, int]:
    """Compute the statistics of all authors; count the users looked at and those that had drifted.

    Each page is marked first: the marks' locks keep importers and refreshers out until it is stored.
    """
    done = context.checkpoint or {"after": 0, "users": 0, "drifted": 0}
    while True:
        async with context.batch() as batch:
            users = await next_author_ids(batch.session, done["after"], USERS_PER_BATCH)
            if not users:
                return {"users": done["users"], "drifted": done["drifted"]}
            wrong = await drifted(batch.session, users)
            await mark_stale(batch.session, users)
            await recompute(batch.session, users)
            done = {
                "after": users[-1],
                "users": done["users"] + len(users),
                "drifted": done["drifted"] + wrong,
            }
            batch.checkpoint = done
