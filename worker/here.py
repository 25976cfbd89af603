"""Carrying out a run inside a command: in the ledger like any other, without a worker or Redis."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from jobs.errors import JobError
from models.run import FINISHED, Run, State
from worker.execution import Executor
from worker.resources import open_resources

if TYPE_CHECKING:
    from jobs.requests import Request
    from worker.settings import Settings

LOOK_EVERY_SECONDS = 0.2


async def carry_out(settings: Settings, request: Request) -> dict[str, Any]:
    """Ask for a job, do it here, and give its result.

    Raises:
        JobError: the run failed; the message is its error.

    """
    async with open_resources(settings) as resources:
        run_id = await resources.client.enqueue(request)
        executor = Executor(resources)
        while True:
            # A worker's dispatcher may be quicker and take the run; then there is only its end to wait for.
            await executor.execute(run_id)
            async with resources.database.reading() as session:
                run = await session.get_one(Run, run_id)
            if run.state in FINISHED:
                break
            await asyncio.sleep(LOOK_EVERY_SECONDS)
    if run.state != State.SUCCEEDED:
        raise JobError(run.error or f"run {run_id} was {run.state}")
    return run.result or {}
