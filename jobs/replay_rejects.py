from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jobs.conflicts import despite_conflicts
from jobs.errors import InputError
from jobs.loading import link
from jobs.replaying import Replaying
from jobs.requests import RefreshAuthorStats
from jobs.writers.registry import choose_writer
from models.database import to_its_end
from models.import_order import reverted_by
from models.run import Run

if TYPE_CHECKING:
    from uuid import UUID

    from jobs.context import JobContext
    from jobs.requests import ReplayRejects


async def replay_rejects(context: JobContext, request: ReplayRejects) -> dict[str, Any]:
    """Load the rejects of a run that are open once more, then link and refresh as an import does."""
    writer = choose_writer(request.writer, context.database.engine.dialect.name)
    site = await _site_of(context, request.run)
    replaying = Replaying(context, request.run, request.rule, writer, request.mapping)
    while await to_its_end(despite_conflicts(replaying.next_batch)):
        pass
    await link(context, site)
    context.then(RefreshAuthorStats())
    return {"writer": writer.name, "why": writer.why}


async def _site_of(context: JobContext, run_id: UUID) -> str:
    async with context.reading() as session:
        run = await session.get(Run, run_id)
        revert = await reverted_by(session, run_id)
    if run is None:
        raise InputError(f"there is no run {run_id}; `headrace runs` lists them")
    if revert is not None:
        raise InputError(f"run {run_id} was undone by run {revert}: import its files again")
    if "site" not in run.request:
        raise InputError(f"run {run_id} is a {run.job} and has no rejects; name the import that has them")
    return str(run.request["site"])
