from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.requests import RefreshAuthorStats
from jobs.reverting import Revert
from jobs.writers.registry import choose_writer

if TYPE_CHECKING:
    from jobs.context import JobContext
    from jobs.requests import RevertRun


async def revert_run(context: JobContext, request: RevertRun) -> dict[str, str]:
    """Undo what the latest import of a site inserted, updated and deleted.

    Raises:
        NotRevertibleError: it is not that, or others have changed what it wrote; nothing is changed.

    """
    writer = choose_writer("auto", context.database.engine.dialect.name)
    site = await Revert(context, request.run, writer).carry_out()
    context.then(RefreshAuthorStats())
    return {"reverted": str(request.run), "site": site}
