"""Runs: asking for them, looking at them, stopping them and starting them again."""

import asyncio
from collections.abc import Awaitable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any, TypeVar
from uuid import UUID, uuid4

import structlog
from fastapi import APIRouter, Depends, Header, Query, Response
from sqlalchemy.exc import NoResultFound
from sqlalchemy.ext.asyncio import AsyncSession

from jobs.client import row_of
from models.family import cancel_runs, with_parts
from models.run import Run, State, list_runs, retry_runs
from worker.run_documents import details_in, document_in, document_of
from worker.web.asked import Asked, AskedAny
from worker.web.callers import Asking
from worker.web.folders import within_folders
from worker.web.held import Holding
from worker.web.paging import USUAL, After, Limit, Page, key_of, page_of
from worker.web.problems import ConflictError, NotFoundError, problems
from worker.web.sessions import Ledger, Writing
from worker.web.shapes import RunDetails, RunDocument

log = structlog.get_logger("headrace.web")

router = APIRouter(prefix="/v1/runs", tags=["runs"])

Found = TypeVar("Found")
IdempotencyKey = Annotated[
    str | None,
    Header(
        pattern=r"^[ -~]{1,150}$",
        description="The same key with the same body gives the same run, for as long as the run is kept.",
    ),
]
JobName = Annotated[str | None, Query(pattern=r"^[a-z_]{1,64}$", description="Only runs of this job.")]

SAME: dict[int | str, dict[str, Any]] = {
    200: {"model": RunDocument, "description": "The run that the key stands for."}
}


async def sound(asked: AskedAny, held: Holding) -> Asked:
    """See that the files lie where they may, before a session is opened: a disk may be slow."""
    request = await asyncio.to_thread(within_folders, asked.request, held.resources.settings)
    return asked.model_copy(update={"request": request})


async def found(document: Awaitable[Found]) -> Found:
    """Await a document of a run.

    Raises:
        NotFoundError: there is no such run.

    """
    try:
        return await document
    except NoResultFound:
        raise NotFoundError("There is no such run.") from None


@router.post(
    "",
    operation_id="enqueueRun",
    summary="Ask for a run",
    status_code=HTTPStatus.ACCEPTED,
    response_model=RunDocument,
    responses=SAME | problems(HTTPStatus.CONFLICT),
)
async def enqueue(
    asked: Annotated[Asked, Depends(sound)],
    held: Holding,
    session: Writing,
    caller: Asking,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> dict[str, Any]:
    """Write a run, which a worker carries out; 202 says that it is in the database.

    Files named in a request must lie in the folders that the API allows, as uploads do.
    """
    own = {"id": uuid4(), "run_at": asked.run_at, "unique_key": _key(caller.token_id, idempotency_key)}
    row = row_of(asked.request, asked.queue) | own
    [run_id] = await held.resources.client.add([row], session=session)
    if run_id == own["id"]:
        log.info("run.asked", run_id=str(run_id), job=row["job"], token=caller.name)
    else:
        await _check_same(session, run_id, row)
        response.status_code = HTTPStatus.OK
    response.headers["Location"] = f"/v1/runs/{run_id}"
    return await document_in(session, run_id)


def _key(token_id: int | None, key: str | None) -> str | None:
    """Make a run's unique key of a caller's: two callers may use the same."""
    return None if key is None else f"http {token_id or 0} {key}"


async def _check_same(session: AsyncSession, run_id: UUID, row: dict[str, Any]) -> None:
    run = await session.get_one(Run, run_id)
    if (run.job, run.request) != (row["job"], row["request"]):
        raise ConflictError("This Idempotency-Key stands for a run with another job or request.")


@router.get(
    "", operation_id="listRuns", summary="List runs, the newest first", response_model=Page[RunDocument]
)
async def list_(
    session: Ledger,
    state: State | None = None,
    job: JobName = None,
    limit: Limit = USUAL,
    after: After = None,
) -> dict[str, Any]:
    """List runs with their receipts, a page at a time."""
    last = key_of(after, _moment, UUID)
    rows = await list_runs(session, state, limit + 1, job=job, after=last)
    return page_of(rows, limit, document_of, lambda run: (run.created_at.isoformat(), run.id))


def _moment(text: Any) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("without its zone")
    return moment.astimezone(UTC)


@router.get(
    "/{run_id}",
    operation_id="getRun",
    summary="Show a run",
    response_model=RunDetails,
    responses=problems(HTTPStatus.NOT_FOUND),
)
async def show(run_id: UUID, session: Ledger) -> dict[str, Any]:
    """Show how far a run is, its receipt, its rejects by rule, and the runs that follow from it."""
    return await found(details_in(session, run_id))


@router.post(
    "/{run_id}/cancel",
    operation_id="cancelRun",
    summary="Cancel a run",
    status_code=HTTPStatus.ACCEPTED,
    response_model=RunDocument,
    responses=problems(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
)
async def cancel(run_id: UUID, session: Writing) -> dict[str, Any]:
    """Stop a queued or running run with all that follow from it; what it has committed stays."""
    stopped = await cancel_runs(session, [run_id])
    document = await found(document_in(session, run_id))
    if not stopped:
        raise ConflictError(f"The run is {document['state']}; only a queued or running one can be cancelled.")
    return document


@router.post(
    "/{run_id}/retry",
    operation_id="retryRun",
    summary="Queue a run again",
    status_code=HTTPStatus.ACCEPTED,
    response_model=RunDocument,
    responses=problems(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
)
async def retry(run_id: UUID, session: Writing) -> dict[str, Any]:
    """Queue a failed or cancelled run, or such parts of a split one, again, from where it stopped."""
    queued = await retry_runs(session, with_parts([run_id]))
    document = await found(document_in(session, run_id))
    if not queued:
        raise ConflictError("Only a failed or cancelled run, or one with such a part, can be retried.")
    return document
