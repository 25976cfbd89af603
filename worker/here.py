"""Carrying out a run inside a command: in the ledger like any other, without a worker or Redis."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from jobs.errors import JobError
from models.run import FINISHED, Run, State
from worker.execution import Executor
from worker.resources import open_resources

if TYPE_CHECKING:
    from uuid import UUID

    from jobs.requests import Request
    from worker.settings import Settings

LOOK_EVERY_SECONDS = 0.2


async def carry_out(settings: Settings, request: Request) -> dict[str, Any]:
    """Ask for a job, do it here, and give its result.

    Raises:
        JobError: the run failed; the message is its error.

    """
    async with open_resources(settings) as resources:
        executor = Executor(resources)
        run_id = await _begin(executor, request)
        while True:
            async with resources.database.reading() as session:
                run = await session.get_one(Run, run_id)
            if run.state in FINISHED:
                break
            await asyncio.sleep(LOOK_EVERY_SECONDS)
            await executor.execute(run_id)  # if it is to be tried again, and the time has come
    if run.state != State.SUCCEEDED:
        raise JobError(run.error or f"run {run_id} was {run.state}")
    return run.result or {}


async def _begin(executor: Executor, request: Request) -> UUID:
    """Ask for a job and claim its run in one transaction, so that no worker elsewhere gets it first."""
    async with executor.resources.database.writing.begin() as session:
        run_id = await executor.resources.client.enqueue(request, session=session)
        run = await executor.claim(session, run_id)
    if run is not None:
        await executor.perform(run)
    return run_id
