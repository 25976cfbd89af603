"""The progress of a run as it happens: server-sent events."""

import time
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Header
from fastapi.sse import EventSourceResponse, ServerSentEvent
from sqlalchemy.exc import SQLAlchemyError

from models.database import to_its_end
from models.run import FINISHED
from worker.rounds import over
from worker.run_documents import document_in
from worker.web.held import Held, Holding
from worker.web.problems import BusyError, problems
from worker.web.routes.runs import found
from worker.web.shapes import RunDocument

router = APIRouter(prefix="/v1/runs/{run_id}/events", tags=["runs"])

LOOK_EVERY_SECONDS = 0.5
MOST_STREAMS = 200
MOST_SECONDS = 600.0  # then the client comes again, with a token that is still good
LastEventId = Annotated[str | None, Header(description="Is not looked at: a stream begins with what is.")]


async def look(run_id: UUID, held: Holding) -> dict[str, Any]:
    """Describe a run; the connection is given back at once, however long the stream lasts."""
    async with held.place(), held.resources.database.reading() as session:
        return await found(document_in(session, run_id))


async def counted(held: Holding) -> AsyncIterator[None]:
    """Keep the number of streams within bounds: each looks at the database again and again."""
    if held.streams >= MOST_STREAMS:
        raise BusyError("There are too many streams.")
    held.streams += 1
    try:
        yield
    finally:
        held.streams -= 1


@router.get(
    "",
    operation_id="streamRunEvents",
    summary="Follow a run",
    response_class=EventSourceResponse,
    responses=problems(HTTPStatus.NOT_FOUND),
    dependencies=[Depends(counted)],
)
async def follow(
    run_id: UUID,
    held: Holding,
    document: Annotated[dict[str, Any], Depends(look)],
    last_event_id: LastEventId = None,  # noqa: ARG001 - what came before is in the document
) -> AsyncIterator[ServerSentEvent]:
    """Send `progress` with the run's document now and whenever it changes, and `end` when it has ended.

    A stream that closes without `end` was cut off by a restart, or after ten minutes: connect again.
    """
    shown: dict[str, Any] = {}
    until = time.monotonic() + MOST_SECONDS
    while True:
        ended = document["state"] in FINISHED
        if (changed := {**document, "seconds": None}) != shown:
            shown = changed
            yield _event("progress", document)
        if ended:
            yield _event("end", document)
            return
        if await over(held.stopping, LOOK_EVERY_SECONDS) or time.monotonic() > until:
            return
        document = await _look_again(run_id, held) or document


def _event(name: str, document: dict[str, Any]) -> ServerSentEvent:
    return ServerSentEvent(event=name, raw_data=RunDocument(**document).model_dump_json())


async def _look_again(run_id: UUID, held: Held) -> dict[str, Any] | None:
    """Look whether something has changed; None if the database cannot say now."""
    try:
        # A client that goes away must not cut a statement short, which would cost its connection.
        return await to_its_end(look(run_id, held))
    except (BusyError, OSError, SQLAlchemyError):
        return None
