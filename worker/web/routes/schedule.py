"""The schedule: what starts by itself, and starting it now."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Path

from worker.run_documents import document_in
from worker.schedule import start_run
from worker.schedule_documents import schedule_documents
from worker.web.held import Holding
from worker.web.paging import Page
from worker.web.problems import ConflictError, NotFoundError, problems
from worker.web.sessions import Ledger, Writing
from worker.web.shapes import RunDocument, ScheduleEntry

router = APIRouter(prefix="/v1/schedule", tags=["schedule"])

EntryName = Annotated[str, Path(max_length=64, examples=["rebuild-stats"])]


@router.get(
    "", operation_id="listSchedule", summary="List what starts by itself", response_model=Page[ScheduleEntry]
)
async def list_(session: Ledger, held: Holding) -> dict[str, Any]:
    """List all entries with their last and next ticks, on one page."""
    return {"items": await schedule_documents(session, held.resources.settings, held.schedule)}


@router.post(
    "/{name}/run",
    operation_id="runScheduleEntry",
    summary="Start the run of an entry now",
    status_code=HTTPStatus.ACCEPTED,
    response_model=RunDocument,
    responses=problems(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
)
async def run(name: EntryName, session: Writing, held: Holding) -> dict[str, Any]:
    """Do what a tick of the entry does; 409 if there is nothing to do."""
    entries = {entry.name: entry for entry in held.schedule}
    entry = entries.get(name)
    if entry is None:
        raise NotFoundError(f"There is no such entry; there are {', '.join(entries)}.")
    run_id = await start_run(held.resources, session, entry)
    if run_id is None:
        raise ConflictError("There is nothing to do; no run was started.")
    return await document_in(session, run_id)
