"""One session a request: opened when the request is known to be sound, closed before it is answered."""

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Annotated

import structlog
from fastapi import Depends, Header
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from jobs.conflicts import despite_conflicts
from worker.web.held import Held, Holding
from worker.web.problems import BusyError

log = structlog.get_logger("headrace.web")


async def ledger(held: Holding) -> AsyncIterator[AsyncSession]:
    """Open a read-only session for runs, whose state is asked for right after it was changed."""
    async with held.place(), held.resources.database.reading() as session:
        yield session


async def reporting(
    held: Holding, cache_control: Annotated[str, Header(max_length=200)] = ""
) -> AsyncIterator[AsyncSession]:
    """Open a session like `reading` that a replica may answer; `no-cache` asks for all that is committed."""
    fresh = "no-cache" in cache_control.lower()
    async with held.place(), held.resources.database.reporting(fresh=fresh) as session:
        yield session


async def writing(held: Holding) -> AsyncIterator[AsyncSession]:
    """Open a session in a transaction, which commits if the operation returns and only then."""
    async with held.place(), held.resources.database.writing.begin() as session:
        yield session


Settle = Callable[[AsyncSession], Awaitable[None]]


async def afterwards(held: Holding) -> AsyncIterator[list[Settle]]:
    """Give a list of what to do in a transaction of its own when that of the operation has committed.

    An operation names it before its session, as dependencies end in the reverse order. What fails here is
    made good by the next import of the site; the client's change is committed.
    """
    steps: list[Settle] = []
    yield steps
    try:
        for step in steps:
            await despite_conflicts(partial(_alone, held, step))
    except (BusyError, OSError, SQLAlchemyError) as error:
        log.warning("request.not_settled", error=type(error).__name__)


async def _alone(held: Held, step: Settle) -> None:
    async with held.place(), held.resources.database.writing.begin() as session:
        await step(session)


# "function" ends the dependency when the operation has returned and before the answer is sent: a commit
# that fails is an error for the client, and a client that reads slowly holds no connection.
Reporting = Annotated[AsyncSession, Depends(reporting, scope="function")]
Ledger = Annotated[AsyncSession, Depends(ledger, scope="function")]
Afterwards = Annotated[list[Settle], Depends(afterwards, scope="function")]
Writing = Annotated[AsyncSession, Depends(writing, scope="function")]
