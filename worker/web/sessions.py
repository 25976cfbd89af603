"""One session a request: opened when the request is known to be sound, closed before it is answered."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Header
from sqlalchemy.ext.asyncio import AsyncSession

from worker.web.held import Holding


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


# "function" ends the dependency when the operation has returned and before the answer is sent: a commit
# that fails is an error for the client, and a client that reads slowly holds no connection.
Reporting = Annotated[AsyncSession, Depends(reporting, scope="function")]
Ledger = Annotated[AsyncSession, Depends(ledger, scope="function")]
Writing = Annotated[AsyncSession, Depends(writing, scope="function")]
