"""Carrying out a run inside a command: in the ledger like any other, without a worker or Redis."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from jobs.errors import JobError
from models.family import cancel_runs
from models.run import FINISHED, Run, State
from worker.execution import Executor
from worker.outcomes import CutOff, Failed, Interrupted, Retry, Succeeded
from worker.resources import open_resources

if TYPE_CHECKING:
    from uuid import UUID

    from jobs.requests import Request
    from worker.outcomes import Outcome
    from worker.resources import Resources
    from worker.settings import Settings

LOOK_EVERY_SECONDS = 0.2


async def carry_out(settings: Settings, request: Request) -> dict[str, Any]:
    """Ask for a job, do it here, and give its result; interrupted, the run is cancelled.

    Raises:
        JobError: the run failed; the message is its error.

    """
    async with open_resources(settings) as resources:
        executor = Executor(resources)
        run_id, outcome = await _begin(executor, request)
        try:
            while isinstance(outcome, Retry | None):
                await asyncio.sleep(LOOK_EVERY_SECONDS)
                # None until it is due and within its limit, unless a worker was quicker then.
                outcome = await executor.execute(run_id) or await _ended_elsewhere(resources, run_id)
        except asyncio.CancelledError:
            outcome = Interrupted()
        if isinstance(outcome, Interrupted):
            async with resources.database.writing.begin() as session:
                await cancel_runs(session, [run_id])
            raise asyncio.CancelledError
    match outcome:
        case Succeeded(result):
            return result or {}
        case Failed(error) | CutOff(error):
            raise JobError(error)
        case _:
            raise JobError(f"run {run_id} was cancelled, or taken over by a worker")


async def _ended_elsewhere(resources: Resources, run_id: UUID) -> Outcome | None:
    async with resources.database.reading() as session:
        run = await session.get_one(Run, run_id)
    if run.state not in FINISHED:
        return None
    return Succeeded(run.result) if run.state == State.SUCCEEDED else Failed(run.error or run.state)


async def _begin(executor: Executor, request: Request) -> tuple[UUID, Outcome | None]:
    """Ask for a job and claim its run in one transaction, so that no worker elsewhere gets it first."""
    async with executor.resources.database.writing.begin() as session:
        run_id = await executor.resources.client.enqueue(request, session=session)
        runs = await executor.claim(session, [run_id])
    return run_id, await executor.perform(runs[0]) if runs else None
