"""A run that is asked for and carried out, as a document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from worker.main import run_worker
from worker.run_documents import document_in

if TYPE_CHECKING:
    from jobs.requests import Request
    from worker.resources import Resources


async def done(resources: Resources, request: Request) -> dict[str, Any]:
    """Ask for a run, work until none is left, and describe it."""
    run_id = await resources.client.enqueue(request)
    await run_worker(resources, burst=True)
    async with resources.database.reading() as session:
        return await document_in(session, run_id)
