"""The leases of the runs that this process works on: renewed together, and given up one by one."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from contextvars import Context
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog
from sqlalchemy.exc import SQLAlchemyError

from jobs.errors import LeaseLostError
from models.claim import renew_leases, still_held
from worker.rounds import over

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from models.claim import Claim, Held
    from models.database import Database

log = structlog.get_logger("headrace.worker")

LOOK_EVERY_SECONDS = 0.5  # how soon a cancelled run stops


@dataclass(slots=True)
class Leases:
    """Keeps the leases of all runs of a process with one query, for as long as there are any."""

    database: Database
    lease_seconds: float
    _tasks: dict[Held, asyncio.Task[object]] = field(default_factory=dict)
    _lost: set[Held] = field(default_factory=set)
    _keeper: _Keeper | None = None

    @asynccontextmanager
    async def kept(self, run: Claim) -> AsyncIterator[None]:
        """Renew the lease of a run beside the block; cancel the block once the run is somebody else's.

        Raises:
            LeaseLostError: the run was cancelled or taken over.

        """
        held, task = (run.id, run.attempt), asyncio.current_task()
        if task is None:
            raise RuntimeError("a lease is kept for a task")
        if not self._tasks:
            stop = asyncio.Event()
            # It works for all runs, and must not go by the name or the trace of the one that began it.
            self._keeper = _Keeper(stop, asyncio.create_task(self._keep(stop), context=Context()))
        self._tasks[held] = task
        try:
            yield
        except asyncio.CancelledError:
            if held in self._lost:
                task.uncancel()
                raise LeaseLostError from None
            raise
        finally:
            await self._let_go(held)

    async def _let_go(self, held: Held) -> None:
        """Forget a lease; with the last one the keeper ends, and what it asks the database just now."""
        del self._tasks[held]
        self._lost.discard(held)
        if not self._tasks and self._keeper:
            self._keeper.stop.set()
            await asyncio.wait([self._keeper.task])

    async def _keep(self, stop: asyncio.Event) -> None:
        renewed_at = time.monotonic()
        every = self.lease_seconds / 3
        while not await over(stop, min(every, LOOK_EVERY_SECONDS)):
            due = time.monotonic() - renewed_at >= every
            renewed_at = time.monotonic() if due else renewed_at
            await self._look(renew=due)

    async def _look(self, *, renew: bool) -> None:
        """Renew the leases, or only look whether somebody cancelled a run or took it over."""
        asked = set(self._tasks)
        try:
            kept = await self._ask(asked, renew=renew) if asked else asked
        except (OSError, SQLAlchemyError) as error:
            # The fence protects the data; the job finds out by itself whether the database is gone.
            log.warning("lease.not_renewed", error=type(error).__name__, runs=len(asked))
            return
        for held in (asked - kept) & self._tasks.keys():
            self._lost.add(held)
            self._tasks[held].cancel()

    async def _ask(self, asked: set[Held], *, renew: bool) -> set[Held]:
        if renew:
            async with self.database.writing.begin() as session:
                await renew_leases(session, asked, self.lease_seconds)
        async with self.database.reading() as session:
            return await still_held(session, asked)


@dataclass(frozen=True, slots=True)
class _Keeper:
    stop: asyncio.Event
    task: asyncio.Task[None]
