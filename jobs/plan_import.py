from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jobs.fetching.fetched import fetched
from jobs.planning.asked import Manner, plan_asked

if TYPE_CHECKING:
    from jobs.context import JobContext
    from jobs.import_requests import PlanImport


async def plan_import(context: JobContext, request: PlanImport) -> dict[str, Any]:
    """Say what an import of files would do; nothing is written but the answer.

    An attempt that is cut short leaves nothing behind, and the next one begins anew.
    """
    paths = await fetched(context, request.urls)
    manner = Manner(context.batch_size, context.vanish_percent, context.bounds)
    async with context.reading() as session:
        return {"plan": await plan_asked(session, request, paths, context.originals, manner)}
